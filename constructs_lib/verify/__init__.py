"""Deploys the constructs to a real account, checks what only AWS can show, and removes everything again."""
