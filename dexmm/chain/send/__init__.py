"""A step made to happen at most once: calldata, fees, signatures, receipts."""
