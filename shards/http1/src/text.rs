//! Classes of bytes that several grammars share (RFC 9110 section 5.6, RFC 3986 section 2).

const TOKEN: u8 = 1;
const REG_NAME: u8 = 2;
const FIELD_TEXT: u8 = 4;
const PLAIN_PATH: u8 = 8;

/// The classes of each byte. One table, so that the loops over bytes are a load and a test.
static CLASSES: [u8; 256] = {
    let mut classes = [0u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() {
            classes[byte] |= TOKEN | REG_NAME;
        }
        if b == b'\t' || (b >= b' ' && b != 0x7f) {
            classes[byte] |= FIELD_TEXT;
        }
        if b.is_ascii_graphic() && !matches!(b, b'%' | b'?' | b'#') {
            classes[byte] |= PLAIN_PATH;
        }
        byte += 1;
    }
    mark(mark(classes, b"!#$%&'*+-.^_`|~", TOKEN), b"-._~!$&'()*+,;=", REG_NAME)
};

const fn mark(mut classes: [u8; 256], bytes: &[u8], class: u8) -> [u8; 256] {
    let mut index = 0;
    while index < bytes.len() {
        classes[bytes[index] as usize] |= class;
        index += 1;
    }
    classes
}

/// `tchar` of RFC 9110 section 5.6.2.
#[inline]
pub(crate) fn is_token_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & TOKEN != 0
}

/// Whether `bytes` are a token: at least one, and only `tchar`s.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| is_token_byte(byte))
}

/// What a `reg-name` consists of, save percent-escapes (RFC 3986 section 3.2.2).
#[inline]
pub(crate) fn is_reg_name_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & REG_NAME != 0
}

/// What may stand in a field value or a quoted string: tab, space, visible ASCII and bytes from 0x80 on.
#[inline]
pub(crate) fn is_field_text_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & FIELD_TEXT != 0
}

/// What a path may hold anywhere: visible ASCII, save what begins an escape, a query or a fragment.
#[inline]
pub(crate) fn is_plain_path_byte(byte: u8) -> bool {
    CLASSES[byte as usize] & PLAIN_PATH != 0
}

/// The elements of a comma-separated list without the white space around them, empty ones included.
pub(crate) fn list_elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(trim_blanks)
}

/// `bytes` without the spaces and tabs at either end.
pub(crate) fn trim_blanks(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = bytes.iter().position(|byte| !is_blank(byte)) else { return &[] };
    let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The value of a hexadecimal digit.
#[inline]
pub(crate) fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
