"""The local AWS: start it, deploy to it, act as a buyer."""
