//! `proxy.toml`, read for its comments: which keys there are, and what is said of each.

/// `[data]`, `[[database]]` …
#[derive(Debug, PartialEq)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) keys: Vec<Key>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) is_default: bool,
    pub(super) about: String,
}

/// What a line is.
enum Line<'a> {
    Header(&'a str, &'a str),
    Key {
        name: &'a str,
        value: &'a str,
        is_default: bool,
        about: &'a str,
    },
    /// More about what stands above.
    More(&'a str),
    Blank,
}

/// Comments of a line begin behind so many blanks at least; nearer ones are keys without a default.
const COMMENT_INDENT: usize = 8;

/// Sections that the file has more than once are told once, with the keys of all.
pub(super) fn read(text: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut at = None;
    // What the next lines say more of.
    let mut last: Option<usize> = None;
    for line in text.lines() {
        match classify(line) {
            Line::Blank => {}
            Line::Header(title, about) => {
                let known = sections.iter().position(|section| section.title == title);
                let index = known.unwrap_or_else(|| {
                    sections.push(Section {
                        title: title.to_owned(),
                        about: String::new(),
                        keys: Vec::new(),
                    });
                    sections.len() - 1
                });
                if !about.is_empty() {
                    let section = &mut sections[index];
                    let gap = if section.about.is_empty() { "" } else { ". Or: " };
                    section.about = format!("{}{gap}{about}", section.about);
                }
                (at, last) = (Some(index), None);
            }
            Line::Key { name, value, is_default, about } => {
                let Some(index) = at else { continue };
                let keys = &mut sections[index].keys;
                if let Some(known) = keys.iter().position(|key| key.name == name) {
                    let (told, more) = (&mut keys[known].about, about);
                    if !more.is_empty() && *told != more {
                        let gap = if told.is_empty() { "" } else { "; " };
                        *told = format!("{told}{gap}{more}");
                    }
                    last = Some(known);
                    continue;
                }
                let (name, value, about) = (name.to_owned(), value.to_owned(), about.to_owned());
                keys.push(Key { name, value, is_default, about });
                last = Some(keys.len() - 1);
            }
            Line::More(more) => {
                let Some(index) = at else { continue };
                let told = match last {
                    Some(key) => &mut sections[index].keys[key].about,
                    None => &mut sections[index].about,
                };
                let gap = if told.is_empty() { "" } else { " " };
                *told = format!("{told}{gap}{more}");
            }
        }
    }
    for key in sections.iter_mut().flat_map(|section| &mut section.keys) {
        if let Some(rest) = key.about.strip_prefix("(the default)") {
            (key.is_default, key.about) = (true, rest.trim().to_owned());
        }
    }
    sections
}

fn classify(line: &str) -> Line<'_> {
    let bare = line.trim_start();
    let indent = line.len() - bare.len();
    let Some(comment) = bare.strip_prefix('#') else {
        return if bare.is_empty() { Line::Blank } else { code(bare, Given::Example) };
    };
    let text = comment.trim_start();
    if text.is_empty() {
        return Line::Blank;
    }
    let blanks = comment.len() - text.len();
    if indent >= COMMENT_INDENT || blanks >= COMMENT_INDENT {
        return Line::More(text);
    }
    match blanks {
        0 | 1 if text.starts_with('[') || key(text).is_some() => {
            code(text, if blanks == 0 { Given::Default } else { Given::Example })
        }
        _ => Line::Blank,
    }
}

/// What the value of a key is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Default,
    Example,
}

fn code(text: &str, given: Given) -> Line<'_> {
    let (said, about) = comment(text);
    match key(said) {
        Some((name, value)) => {
            Line::Key { name, value, is_default: given == Given::Default, about }
        }
        None => Line::Header(said, about),
    }
}

/// A name, and its value.
fn key(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_name.then(|| (name, value.trim()))
}

/// What stands before the comment of a line, and the comment: a `#` outside quotes.
fn comment(text: &str) -> (&str, &str) {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '#' if !is_quoted => return (text[..at].trim_end(), text[at + 1..].trim()),
            _ => {}
        }
    }
    (text.trim_end(), "")
}

#[test]
fn comments_belong_to_the_key_above_them() {
    let text = [
        "# The file.",
        "",
        "[data]        # where clients connect",
        "listen = \"a#b\"     # IP:port",
        "                    # or a list",
        "# idle = \"3min\"  # duration",
        "#max = 1  # how many",
        "# [[sink]]    # elsewhere",
        "# from = \"x\"   # (the default) where",
        "#                 it begins",
    ];
    let text = text.join("\n");
    let key = |name: &str, value: &str, is_default: bool, about: &str| Key {
        name: name.to_owned(),
        value: value.to_owned(),
        is_default,
        about: about.to_owned(),
    };
    assert_eq!(
        read(&text),
        [
            Section {
                title: "[data]".to_owned(),
                about: "where clients connect".to_owned(),
                keys: vec![
                    key("listen", "\"a#b\"", false, "IP:port or a list"),
                    key("idle", "\"3min\"", false, "duration"),
                    key("max", "1", true, "how many"),
                ],
            },
            Section {
                title: "[[sink]]".to_owned(),
                about: "elsewhere".to_owned(),
                keys: vec![key("from", "\"x\"", true, "where it begins")],
            },
        ]
    );
}

/// None is lost: whatever the file sets, or could set, is in the reference.
#[test]
fn every_key_of_the_file_is_read() {
    let text = include_str!("../../proxy.toml");
    let sections = read(text);
    let table: toml::Table = toml::from_str(text).expect("TOML");
    let has = |title: &str, key: &str| {
        sections.iter().any(|s| s.title == title && s.keys.iter().any(|k| k.name == key))
    };
    for (name, value) in &table {
        let (title, keys) = match value {
            toml::Value::Table(table) => (format!("[{name}]"), vec![table]),
            toml::Value::Array(tables) => {
                (format!("[[{name}]]"), tables.iter().filter_map(toml::Value::as_table).collect())
            }
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => panic!("{name} is in no section"),
        };
        for key in keys.into_iter().flat_map(toml::Table::keys) {
            assert!(has(&title, key), "{title} {key}");
        }
    }
    for (title, key) in [
        ("[data]", "idle_timeout"),
        ("[oidc]", "issuer"),
        ("[notify.smtp]", "url"),
        ("[[sink]]", "confirm"),
        ("[[risk.rule]]", "quiet"),
        ("[[login]]", "map"),
    ] {
        assert!(has(title, key), "{title} {key}");
    }
}
