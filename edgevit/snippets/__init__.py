"""The code that calls an artifact, in the languages of where it goes, written beside it from what it says of itself."""
