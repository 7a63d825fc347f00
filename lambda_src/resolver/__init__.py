"""The resolver: redeems a buyer's registration token, records the buyer, and redirects to the landing page."""
