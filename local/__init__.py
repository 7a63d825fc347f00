"""The local AWS: start it, deploy to it, be a buyer."""
