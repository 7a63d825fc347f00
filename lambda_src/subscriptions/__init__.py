"""What is recorded of licenses and agreements, and which of two reports counts: for each function that records them."""
