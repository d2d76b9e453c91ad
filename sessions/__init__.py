"""One call: a listener, a brain and a speaker, and the session that joins them."""
