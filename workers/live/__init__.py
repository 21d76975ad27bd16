"""What cameras see now, for whoever watches: pictures, events, states."""
