//! Names as parts of entity ids: lower case letters, digits and single underscores, as Home
//! Assistant itself would make them of a name.

use deunicode::deunicode_char;

/// So many letters of a base topic, by which two bridges on one broker differ.
const OF_A_BASE: usize = 40;

/// Of a name, at most so many letters; `None` if nothing is left of it, as of a name in emoji.
pub(super) fn of_name(name: &str, letters: usize) -> Option<String> {
    let mut slug = String::new();
    for letter in name.chars().flat_map(plain) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    slug.truncate(letters);
    let slug = slug.trim_end_matches('_');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// Of a base topic. Home Assistant knows the bridge by it, so that it stays as the first version
/// made it, which knew the letters of western Europe only.
pub(super) fn of_base(base: &str) -> Option<String> {
    let letters = base.chars().flat_map(char::to_lowercase).take(OF_A_BASE);
    let is_western = |letter: &char| {
        matches!(letter, 'ß'..='ï' | 'ñ'..='ö' | 'ø'..='ý' | 'ÿ') || letter.is_ascii()
    };
    let known: String = letters
        .map(|letter| if is_western(&letter) { letter } else { ' ' })
        .collect();
    of_name(&known, usize::MAX)
}

/// A letter without its marks and in our alphabet, a sign as what parts words, and nothing of a
/// picture, whose name in English nobody would look for.
fn plain(letter: char) -> impl Iterator<Item = char> {
    let plain = match deunicode_char(letter) {
        _ if letter.is_ascii() => None,
        Some(text) if letter.is_alphanumeric() || !text.contains(char::is_alphanumeric) => {
            Some(text)
        }
        _ => Some(""),
    };
    // What transliteration puts between letters, as for a soft sign, parts no words.
    let spelled = plain.unwrap_or_default().chars().filter(|c| *c != '\'');
    plain.is_none().then_some(letter).into_iter().chain(spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_home_assistant_writes_it() {
        // By its own `slugify`.
        for (name, slug) in [
            ("Rakete", "rakete"),
            ("Käfer / Weiß", "kafer_weiss"),
            ("  My--Car 3! ", "my_car_3"),
            ("Škoda-Killer Żółw", "skoda_killer_zolw"),
            ("Familie Müller Model Y", "familie_muller_model_y"),
            ("Mu\u{308}ller", "muller"),
            ("Bob's Car", "bob_s_car"),
            ("Bob’s Car", "bobs_car"),
            ("Straße–Weg", "strasse_weg"),
            ("Ракета", "raketa"),
            ("Đorđe & Þór", "dorde_thor"),
            ("Ελλάδα", "ellada"),
            ("İstanbul", "istanbul"),
            ("Œuf ﬁn", "oeuf_fin"),
            ("北京", "bei_jing"),
            ("♥ Tesla ♥", "tesla"),
            ("𝐑𝐨𝐜𝐤", "rock"),
        ] {
            assert_eq!(of_name(name, 40).as_deref(), Some(slug), "{name}");
        }
    }

    #[test]
    fn of_some_names_nothing_is_left() {
        for name in ["🚗🚗", "/+#\u{0}", "", "→", "\u{308}"] {
            assert_eq!(of_name(name, 40), None, "{name}");
        }
    }

    #[test]
    fn a_long_name_is_cut_also_where_its_letters_become_more() {
        assert_eq!(of_name(&"x".repeat(500), 18), Some("x".repeat(18)));
        assert_eq!(of_name(&"ß".repeat(500), 18), Some("s".repeat(18)));
        assert_eq!(of_name("one two", 4).as_deref(), Some("one"));
    }

    #[test]
    fn the_id_of_a_bridge_is_what_it_has_always_been() {
        for (base, slug) in [
            ("home/tesla", "home_tesla"),
            ("Käfer/Œ", "kafer"),
            ("żółw", "o_w"),
            ("þór", "or"),
        ] {
            assert_eq!(of_base(base).as_deref(), Some(slug), "{base}");
        }
    }
}
