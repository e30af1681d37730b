"""What a code is for, and so how it is trained."""
