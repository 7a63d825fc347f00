"""The function behind a fulfillment URL: redeems the buyer's token, records the customer, hands the buyer on."""
