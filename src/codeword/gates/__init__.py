"""Gates that choose one of several experts for each row."""
