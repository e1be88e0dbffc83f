//! An answer as a client reads it: strictly.

/// An answer.
#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
    /// As it says.
    pub length: Option<usize>,
    /// It says that the connection ends.
    pub is_last: bool,
    /// Whether it was kept, as it says: one of [`FROM`].
    pub from: Option<usize>,
}

/// Where an answer says that it comes from.
pub const FROM: [&str; 3] = ["MISS", "HIT", "STALE"];

/// The first answer of `input` and its length; `None`: it is not all there.
pub fn parse(input: &[u8], has_body: bool) -> Result<Option<(Answer<'_>, usize)>, String> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        let start = &input[..input.len().min(9)];
        return if b"HTTP/1.1 ".starts_with(start) {
            Ok(None)
        } else {
            Err(format!("no answer begins with {:?}", String::from_utf8_lossy(start)))
        };
    };
    let head = std::str::from_utf8(&input[..end]).map_err(|_| "a head that is no text".to_owned())?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status =
        first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let Some(status) = status else { return Err(format!("no status line: {first:?}")) };
    let (mut length, mut is_last, mut from) = (None, false, None);
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else { return Err(format!("no field: {line:?}")) };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                let value = value.parse::<usize>().map_err(|_| format!("no length: {value:?}"))?;
                if length.replace(value).is_some() {
                    return Err("two lengths".to_owned());
                }
            }
            "connection" => is_last |= value.eq_ignore_ascii_case("close"),
            "x-cache" => {
                from = FROM.iter().position(|known| *known == value);
                if from.is_none() {
                    return Err(format!("comes from nowhere: {value:?}"));
                }
            }
            "transfer-encoding" => return Err("an answer in chunks".to_owned()),
            _ => {}
        }
    }
    let start = end + 4;
    let said = length;
    let length = match (status, length) {
        (100 | 204, None) => 0,
        (_, Some(length)) => {
            // Of a head that never came as a whole nobody knows that it was HEAD.
            if has_body || status == 408 { length } else { 0 }
        }
        (_, None) => return Err(format!("{status} without a length")),
    };
    if input.len() < start + length {
        return Ok(None);
    }
    let body = &input[start..start + length];
    Ok(Some((Answer { status, body, length: said, is_last, from }, start + length)))
}
