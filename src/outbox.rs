//! The newest payload of each topic, and what the broker has not seen yet. Pure: the connection
//! task owns one, feeds it and drains it.
