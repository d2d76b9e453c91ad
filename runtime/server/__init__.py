"""The roof: builds every part, owns the routes."""
