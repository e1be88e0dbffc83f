//! The patterns of `include`: `*` and `?` within one part of a path. `**` and sets were left out until someone needs them.

use std::path::{Path, PathBuf};

/// Files below `folder` that match, by name. A pattern without wildcards must name a file.
pub(super) fn find(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    if pattern.is_empty() {
        return Err("names no file".into());
    }
    if pattern.contains("**") {
        return Err("has a `**`, which is not in this version".into());
    }
    let mut found = vec![if pattern.starts_with('/') { PathBuf::from("/") } else { folder.to_path_buf() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part));
            found.retain(|path| path.exists());
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            // A folder that cannot be listed holds nothing that could be included.
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            let hidden = part.starts_with('.');
            next.extend(
                names
                    .filter(|name| (hidden || !name.starts_with('.')) && matches(part, name))
                    .map(|name| folder.join(name)),
            );
        }
        found = next;
    }
    if !pattern.contains(['*', '?']) && found.iter().any(|path| path.exists() && !path.is_file()) {
        return Err("is not a regular file".into());
    }
    found.retain(|path| path.is_file());
    found.sort();
    if found.is_empty() && !pattern.contains(['*', '?']) {
        return Err("names no file that exists".into());
    }
    Ok(found)
}

/// The folder whose names the first wildcard of a pattern is compared with.
pub(super) fn folder_of(folder: &Path, pattern: &str) -> PathBuf {
    let before = pattern.find(['*', '?']).map_or(pattern, |at| &pattern[..at]);
    match before.rsplit_once('/') {
        None => folder.to_path_buf(),
        Some(("", _)) => PathBuf::from("/"),
        Some((parts, _)) => folder.join(parts),
    }
}

/// Whether `name` fits `pattern`; linear but for one step back to the last `*`.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::{folder_of, matches};
    use std::path::Path;

    #[test]
    fn folders_of_patterns() {
        for (pattern, expected) in
            [("*.toml", "/e"), ("api/*.toml", "/e/api"), ("a/b?/c/*", "/e/a"), ("/x/*", "/x"), ("/*", "/")]
        {
            assert_eq!(folder_of(Path::new("/e"), pattern), Path::new(expected), "{pattern}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*.toml", "a.toml", true),
            ("*.toml", "a.tom", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("?.toml", "ü.toml", true),
            ("?.toml", ".toml", false),
            ("**a", "ba", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
