"""Every line of SQL that is not Django's. No models."""
