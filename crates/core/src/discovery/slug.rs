//! A name as a part of an entity id: lower case letters, digits and single underscores.

/// So many letters of a car's name: they stand in each of some 300 entity ids of its message.
pub const OF_A_CAR: usize = 18;
/// So many letters of a base topic, by which two bridges on one broker differ.
pub const OF_A_BASE: usize = 40;

/// Of so many letters of the name; `None` if nothing is left of it, as of a name in emoji.
pub fn of(name: &str, letters: usize) -> Option<String> {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase).take(letters) {
        match plain(letter) {
            Some(plain) => slug.push_str(plain),
            None if letter.is_ascii_lowercase() || letter.is_ascii_digit() => slug.push(letter),
            None if slug.is_empty() || slug.ends_with('_') => {}
            None => slug.push('_'),
        }
    }
    let slug = slug.trim_matches('_');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// The letters of western Europe without their marks, as Home Assistant writes them.
fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => "a",
        'æ' => "ae",
        'ç' => "c",
        'è' | 'é' | 'ê' | 'ë' => "e",
        'ì' | 'í' | 'î' | 'ï' => "i",
        'ñ' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => "o",
        'ù' | 'ú' | 'û' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        'ß' => "ss",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_part_of_an_id() {
        let check = |name: &str, slug: Option<&str>| {
            assert_eq!(of(name, OF_A_CAR).as_deref(), slug, "{name}");
        };
        check("Rakete", Some("rakete"));
        check("Käfer / Weiß", Some("kafer_weiss"));
        check("  My--Car 3! ", Some("my_car_3"));
        check("🚗🚗", None);
        check("/+#\u{0}", None);
        check("", None);
        check(&"x".repeat(500), Some(&"x".repeat(18)));
    }
}
