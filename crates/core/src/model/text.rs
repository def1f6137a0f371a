//! Text of somebody else's, cut to size.

/// At most `limit` characters, on one line.
pub fn clip(text: &str, limit: usize) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect();
    line.trim().to_owned()
}
