"""Why a network does not learn, and which head fits the data."""
