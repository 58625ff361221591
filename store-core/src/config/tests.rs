//! What good and bad configurations give, by line and key.
