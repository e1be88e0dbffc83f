//! A valid e-mail address, as the HTML standard's production has it (section 4.10.5.1.5):
//! `1*( atext / "." ) "@" label *( "." label )`, where a label is of RFC 1034 with at most 63 characters and may begin with a
//! digit. It is what a browser's `<input type=email>` accepts, on purpose neither more nor less than RFC 5322 in places.

/// Whether `text` is such an address.
pub(in crate::api) fn is_valid(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    !local.is_empty() && local.bytes().all(is_local) && domain.split('.').all(is_label)
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}
