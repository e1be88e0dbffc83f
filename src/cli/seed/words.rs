//! The lists that plausible text is made of.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Adrian", "Aisha", "Alan", "Alice", "Amara", "Amelia", "Anders", "Andrea", "Anita", "Anna",
    "Antonio", "Ayumi", "Barbara", "Beatriz", "Benjamin", "Bianca", "Boris", "Camille", "Carlos", "Carmen",
    "Chen", "Chiara", "Clara", "Daniel", "David", "Diana", "Dmitri", "Edith", "Elena", "Elias", "Emil",
    "Emma", "Erik", "Esther", "Eva", "Farid", "Fatima", "Felix", "Fiona", "Frances", "Gabriel", "George",
    "Grace", "Hana", "Hannah", "Hassan", "Helen", "Hiroshi", "Hugo", "Ibrahim", "Ines", "Ingrid", "Irene",
    "Isabel", "Ivan", "Jack", "James", "Jana", "Javier", "Jin", "Joan", "Johanna", "Jonas", "Julia", "Kamal",
    "Karen", "Kofi", "Laila", "Lars", "Laura", "Leila", "Leo", "Lin", "Linus", "Louise", "Lucas", "Lucia",
    "Magnus", "Maria", "Mariam", "Marta", "Martin", "Mateo", "Maya", "Mei", "Mira", "Mohamed", "Nadia",
    "Naomi", "Nina", "Noah", "Nora", "Oliver", "Olga", "Omar", "Oscar", "Paul", "Pedro", "Petra", "Priya",
    "Rafael", "Rahul", "Rania", "Rebecca", "Robert", "Rosa", "Ruth", "Samira", "Samuel", "Sara", "Simon",
    "Sofia", "Stefan", "Sven", "Tariq", "Teresa", "Thomas", "Tomas", "Ursula", "Vera", "Victor", "Wei",
    "William", "Yara", "Yuki", "Yusuf", "Zoe",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Abe", "Adams", "Adeyemi", "Ahmed", "Almeida", "Andersen", "Bailey", "Baker", "Banerjee", "Bauer",
    "Becker", "Bell", "Bennett", "Berg", "Bianchi", "Brooks", "Brown", "Carter", "Castro", "Chen", "Clark",
    "Cohen", "Cooper", "Costa", "Cruz", "Dahl", "Davies", "Diaz", "Dubois", "Edwards", "Evans", "Ferrari",
    "Fischer", "Fontaine", "Foster", "Garcia", "Gomez", "Gray", "Green", "Gupta", "Hall", "Hansen", "Harris",
    "Hayashi", "Hill", "Hoffmann", "Horvat", "Hughes", "Hussein", "Ito", "Ivanov", "Jackson", "Jansen",
    "Jones", "Kaya", "Keller", "Kelly", "Khan", "Kim", "King", "Klein", "Kovacs", "Kowalski", "Kumar",
    "Larsen", "Lee", "Lehmann", "Lindgren", "Lopez", "Lovelace", "Martin", "Mensah", "Meyer", "Miller",
    "Moore", "Moreau", "Morgan", "Mori", "Murphy", "Nakamura", "Nguyen", "Nielsen", "Novak", "Okafor",
    "Olsen", "Osei", "Owens", "Park", "Parker", "Patel", "Pereira", "Petrov", "Popescu", "Price", "Ramos",
    "Reed", "Reyes", "Ricci", "Roberts", "Rossi", "Roux", "Russo", "Sanchez", "Santos", "Sato", "Schmidt",
    "Scott", "Shah", "Silva", "Singh", "Smith", "Stewart", "Suzuki", "Tanaka", "Taylor", "Turner", "Vargas",
    "Vidal", "Virtanen", "Wagner", "Walker", "Wang", "Weber", "White", "Wilson", "Wood", "Yamada", "Yilmaz",
    "Young", "Zhang",
];

pub(super) const ADJECTIVES: &[&str] = &[
    "amber", "ancient", "blue", "bold", "brave", "bright", "broken", "calm", "careful", "clear", "clever",
    "copper", "crimson", "curious", "deep", "distant", "early", "eastern", "endless", "faithful", "final",
    "first", "fresh", "gentle", "golden", "green", "hidden", "hollow", "honest", "humble", "idle", "inner",
    "late", "little", "lively", "local", "lonely", "lost", "lucky", "mellow", "modern", "narrow", "new",
    "northern", "open", "outer", "pale", "patient", "plain", "polished", "quick", "quiet", "rapid", "rare",
    "restless", "round", "rural", "secret", "sharp", "silent", "silver", "simple", "slow", "small", "solid",
    "southern", "spare", "steady", "still", "stormy", "strange", "sunny", "swift", "tall", "tender", "tidy",
    "upper", "vivid", "warm", "western", "white", "wide", "wild", "winter", "young",
];

pub(super) const NOUNS: &[&str] = &[
    "anchor", "answer", "archive", "autumn", "balance", "basket", "beacon", "bridge", "canvas", "castle",
    "chapter", "circle", "city", "clock", "coast", "compass", "corner", "current", "desert", "engine",
    "evening", "field", "forest", "garden", "gate", "glacier", "harbour", "harvest", "hill", "horizon",
    "house", "island", "journey", "kitchen", "ladder", "lantern", "letter", "library", "machine", "market",
    "meadow", "mirror", "morning", "mountain", "museum", "notebook", "ocean", "orchard", "path", "pattern",
    "piano", "planet", "pocket", "question", "railway", "recipe", "record", "report", "river", "road",
    "school", "season", "shadow", "signal", "sketch", "song", "station", "stone", "story", "street",
    "summer", "table", "theatre", "thread", "ticket", "tower", "valley", "village", "voyage", "water",
    "weather", "window", "winter", "workshop",
];

pub(super) const VERBS: &[&str] = &[
    "answers", "becomes", "brings", "builds", "carries", "changes", "covers", "crosses", "explains", "finds",
    "follows", "guards", "hides", "holds", "keeps", "leaves", "meets", "moves", "needs", "opens", "paints",
    "reaches", "repairs", "shows", "teaches", "turns", "visits", "warms",
];

pub(super) const CITIES: &[&str] = &[
    "Accra", "Ankara", "Athens", "Berlin", "Bogota", "Boston", "Brisbane", "Cairo", "Chicago", "Dublin",
    "Geneva", "Hamburg", "Hanoi", "Helsinki", "Istanbul", "Jakarta", "Kyoto", "Lagos", "Lima", "Lisbon",
    "London", "Lyon", "Madrid", "Manila", "Milan", "Montreal", "Mumbai", "Nairobi", "Osaka", "Oslo", "Paris",
    "Porto", "Prague", "Quito", "Rome", "Santiago", "Seattle", "Seoul", "Sydney", "Tokyo", "Toronto",
    "Vienna", "Warsaw", "Zagreb", "Zurich",
];

pub(super) const COUNTRIES: &[&str] = &[
    "Austria", "Belgium", "Brazil", "Canada", "Chile", "Colombia", "Croatia", "Denmark", "Egypt", "Finland",
    "France", "Germany", "Ghana", "Greece", "India", "Ireland", "Italy", "Japan", "Kenya", "Mexico",
    "Morocco", "Nigeria", "Norway", "Peru", "Poland", "Portugal", "Spain", "Sweden", "Turkey", "Vietnam",
];

pub(super) const COLOURS: &[&str] =
    &["black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow"];

pub(super) const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "JPY", "CHF", "SEK", "INR", "BRL"];

pub(super) const STREETS: &[&str] = &["Street", "Road", "Avenue", "Lane", "Square"];

/// Reserved for examples (RFC 2606).
pub(super) const MAIL_DOMAINS: &[&str] = &["example.com", "example.org", "example.net"];
