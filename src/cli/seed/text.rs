//! Text that fits its column's name and lengths. ASCII without quotes throughout, so that a byte is a character and nothing
//! needs an escape.

use super::random::Random;
use super::words;

/// What a column of text speaks of, guessed from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Email,
    FirstName,
    LastName,
    Person,
    User,
    Title,
    Prose,
    Url,
    Slug,
    Phone,
    City,
    Country,
    Currency,
    Colour,
    Address,
    Code,
    Word,
}

/// The words of a column's name that tell its subject; the first that is met decides.
const SUBJECTS: &[(&[&str], Subject)] = &[
    (&["email", "mail"], Subject::Email),
    (&["firstname", "first", "given", "forename"], Subject::FirstName),
    (&["lastname", "last", "surname", "family"], Subject::LastName),
    (&["username", "login", "handle", "nick", "nickname"], Subject::User),
    (&["fullname", "full", "author", "owner", "contact", "customer", "recipient"], Subject::Person),
    (&["url", "uri", "website", "link", "homepage"], Subject::Url),
    (&["slug"], Subject::Slug),
    (&["phone", "mobile", "telephone"], Subject::Phone),
    (&["city", "town"], Subject::City),
    (&["country"], Subject::Country),
    (&["currency"], Subject::Currency),
    (&["color", "colour"], Subject::Colour),
    (&["address", "street"], Subject::Address),
    (
        &["code", "sku", "token", "hash", "serial", "number", "zip", "postcode", "password", "key"],
        Subject::Code,
    ),
    (
        &[
            "body",
            "content",
            "text",
            "description",
            "bio",
            "comment",
            "message",
            "note",
            "notes",
            "summary",
            "abstract",
            "details",
            "review",
        ],
        Subject::Prose,
    ),
    (&["title", "subject", "headline", "heading", "label"], Subject::Title),
];

/// Tables whose `name` is a person's begin so.
const PEOPLE: &[&str] = &[
    "user",
    "people",
    "person",
    "author",
    "customer",
    "member",
    "employee",
    "contact",
    "client",
    "account",
    "staff",
    "student",
    "teacher",
    "patient",
    "driver",
    "player",
    "guest",
    "subscriber",
];

impl Subject {
    pub(super) fn of(table: &str, column: &str) -> Subject {
        let column = column.to_ascii_lowercase();
        if column == "name" {
            let table = table.to_ascii_lowercase();
            let is_person = PEOPLE.iter().any(|people| table.starts_with(people));
            return if is_person { Subject::Person } else { Subject::Title };
        }
        let words: Vec<&str> = column.split('_').collect();
        if words == ["user", "name"] {
            return Subject::User;
        }
        let met = SUBJECTS.iter().find(|(names, _)| names.iter().any(|name| words.contains(name)));
        match met {
            Some((_, subject)) => *subject,
            None if words.contains(&"name") => Subject::Title,
            None => Subject::Word,
        }
    }
}

/// Whom a row is about: its names and addresses agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    first_name: &'static str,
    last_name: &'static str,
}

impl Person {
    pub(super) fn draw(random: &mut Random) -> Person {
        let (first_name, last_name) = (*random.pick(words::FIRST_NAMES), *random.pick(words::LAST_NAMES));
        Person { first_name, last_name }
    }

    /// `ada.lovelace`
    fn handle(self) -> String {
        format!("{}.{}", self.first_name, self.last_name).to_ascii_lowercase()
    }
}

/// Makes the values of one column.
#[derive(Clone, Debug)]
pub(super) struct Text {
    subject: Subject,
    length_min: usize,
    length_max: usize,
}

/// From here on there is room for a word and a number; below, distinct texts are codes.
const LENGTH_OF_WORDS: usize = 12;
/// The same for addresses: `a1@example.com` with more digits.
const LENGTH_OF_ADDRESSES: usize = 24;
/// Longer codes would tell apart more rows than there can be.
const CODE_LENGTH_MAX: usize = 12;
/// The shortest end of an address, for columns that have no room for more.
const SHORT_DOMAIN: &str = "@b";

impl Text {
    pub(super) fn new(subject: Subject, length_min: Option<usize>, length_max: Option<usize>) -> Text {
        Text { subject, length_min: length_min.unwrap_or(0), length_max: length_max.unwrap_or(usize::MAX) }
    }

    /// How many texts `numbered` tells apart.
    pub(super) fn capacity(&self) -> u128 {
        match self.code_length() {
            Some(length) => code_count(length),
            None => u128::from(u64::MAX),
        }
    }

    /// Any text.
    pub(super) fn plausible(&self, person: Person, random: &mut Random) -> String {
        match (self.subject, self.code_length()) {
            (Subject::Email, Some(length)) => {
                self.numbered(u128::from(random.next()) % code_count(length), person, random)
            }
            (Subject::Email, None) => {
                let number = random.below(10_000);
                self.numbered(number.into(), person, random)
            }
            (subject, _) => {
                fit(words_of(subject, person, random), self.length_min, self.length_max, subject, random)
            }
        }
    }

    /// A text that no other number below the capacity has.
    pub(super) fn numbered(&self, number: u128, person: Person, random: &mut Random) -> String {
        if let Some(length) = self.code_length() {
            let mut text = code(number, length);
            let domain = if self.subject == Subject::Email { SHORT_DOMAIN } else { "" };
            while text.len() + domain.len() < self.length_min {
                text.push('x');
            }
            return text + domain;
        }
        let (head, end) = match self.subject {
            Subject::Email => {
                let domain = random.pick(words::MAIL_DOMAINS);
                (person.handle(), format!("{number}@{domain}"))
            }
            Subject::User => (words_of(self.subject, person, random), number.to_string()),
            // These may end with digits of their own.
            _ if is_tight(self.subject) => (words_of(self.subject, person, random), format!("-{number}")),
            _ => (words_of(self.subject, person, random), format!(" {number}")),
        };
        let room = |length: usize| length.saturating_sub(end.len());
        fit(head, room(self.length_min), room(self.length_max), self.subject, random) + &end
    }

    /// `None` if there is room for words.
    fn code_length(&self) -> Option<usize> {
        let (enough, taken) = match self.subject {
            Subject::Email => (LENGTH_OF_ADDRESSES, SHORT_DOMAIN.len()),
            _ => (LENGTH_OF_WORDS, 0),
        };
        (self.length_max < enough).then(|| self.length_max.saturating_sub(taken).min(CODE_LENGTH_MAX))
    }
}

fn code_count(length: usize) -> u128 {
    36_u128.pow(length as u32)
}

/// The number in base 36, shuffled so that neighbours look unlike each other.
fn code(number: u128, length: usize) -> String {
    // Coprime to every power of 36, so that no two numbers meet.
    const FACTOR: u128 = 2_654_435_761;
    let mut left = (number % code_count(length)) * FACTOR % code_count(length);
    let mut digits = Vec::with_capacity(length);
    for _ in 0..length {
        digits.push(char::from_digit((left % 36) as u32, 36).unwrap_or('0').to_ascii_uppercase());
        left /= 36;
    }
    digits.iter().rev().collect()
}

/// Whether the subject's texts have no spaces.
fn is_tight(subject: Subject) -> bool {
    matches!(subject, Subject::Email | Subject::User | Subject::Url | Subject::Slug | Subject::Code)
}

fn words_of(subject: Subject, person: Person, random: &mut Random) -> String {
    let adjective = |random: &mut Random| *random.pick(words::ADJECTIVES);
    let noun = |random: &mut Random| *random.pick(words::NOUNS);
    match subject {
        Subject::Email | Subject::User => person.handle(),
        Subject::FirstName => person.first_name.to_owned(),
        Subject::LastName => person.last_name.to_owned(),
        Subject::Person => format!("{} {}", person.first_name, person.last_name),
        Subject::Title => title(random),
        Subject::Prose => prose(random),
        Subject::Url => format!("https://example.com/{}-{}", adjective(random), noun(random)),
        Subject::Slug => format!("{}-{}", adjective(random), noun(random)),
        // Numbers that are kept free for fiction.
        Subject::Phone => format!("+1-{}-555-01{:02}", 201 + random.below(780), random.below(100)),
        Subject::City => (*random.pick(words::CITIES)).to_owned(),
        Subject::Country => (*random.pick(words::COUNTRIES)).to_owned(),
        Subject::Currency => (*random.pick(words::CURRENCIES)).to_owned(),
        Subject::Colour => (*random.pick(words::COLOURS)).to_owned(),
        Subject::Address => {
            let (street, number) = (random.pick(words::STREETS), 1 + random.below(200));
            format!("{number} {} {street}", capitalized(noun(random)))
        }
        Subject::Code => code(random.next().into(), 8),
        Subject::Word => noun(random).to_owned(),
    }
}

fn title(random: &mut Random) -> String {
    let adjective = *random.pick(words::ADJECTIVES);
    let (noun, other) = (*random.pick(words::NOUNS), *random.pick(words::NOUNS));
    match random.below(4) {
        0 => format!("{} {}", capitalized(adjective), capitalized(noun)),
        1 => format!("The {} {}", capitalized(adjective), capitalized(noun)),
        2 => format!("{} and {}", capitalized(noun), capitalized(other)),
        _ => format!("{} of the {} {}", capitalized(noun), capitalized(adjective), capitalized(other)),
    }
}

fn prose(random: &mut Random) -> String {
    let mut text = String::new();
    // Mostly short, seldom long.
    for _ in 0..=(random.fraction().powi(2) * 6.0) as usize {
        if !text.is_empty() {
            text.push(' ');
        }
        let (adjective, noun) = (random.pick(words::ADJECTIVES), random.pick(words::NOUNS));
        let (verb, object) = (random.pick(words::VERBS), random.pick(words::NOUNS));
        text.push_str(&format!("The {adjective} {noun} {verb} the {object}."));
    }
    text
}

fn capitalized(word: &str) -> String {
    let mut text = word.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Makes the text longer with words, or cuts it, without a space at its end.
fn fit(
    mut text: String,
    length_min: usize,
    length_max: usize,
    subject: Subject,
    random: &mut Random,
) -> String {
    let joint = if is_tight(subject) { '-' } else { ' ' };
    while text.len() < length_min {
        text.push(joint);
        let noun: &&str = random.pick(words::NOUNS);
        text.push_str(noun);
    }
    if text.len() > length_max {
        text.truncate(length_max);
        let length = text.trim_end_matches([' ', '-']).len();
        text.truncate(length);
        while text.len() < length_min {
            text.push('e');
        }
    }
    text
}
