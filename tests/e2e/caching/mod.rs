//! Answers that are kept: on whichever shard a connection lands they come from the cache, and never from before a write.

mod fresh;
mod kept;

/// A table and endpoints whose answers are kept, and a table whose answers are not.
pub(crate) const FILE: &str = r#"
[tables.books]
list = "/books"
item = "/books/{id}"
cache = { ttl = "1h" }
[tables.books.columns]
id = { type = "bigint", generated = "identity" }
title = { type = "text", required = true }
shelf_id = { type = "bigint", references = "shelves.id", on_delete = "cascade" }

[tables.shelves]
list = "/shelves"
item = "/shelves/{name}"
key = "name"
cache = true
[tables.shelves.columns]
name = { type = "text", required = true }
id = { type = "bigint", required = true, unique = true }

[tables.plain]
list = "/plain"
item = "/plain/{id}"
[tables.plain.columns]
id = { type = "bigint", generated = "identity" }

[endpoints.titles]
path = "/titles"
sql = "SELECT title FROM books ORDER BY title, id"
cache = true

[endpoints.one]
path = "/one/{id}"
params = { id = "books.id" }
sql = "SELECT title FROM books WHERE id = $id"
shape = "row"
reads = ["books/{id}"]
cache = true

[endpoints.rename]
path = "/rename/{id}"
methods = ["POST"]
params = { id = "books.id", title = "books.title" }
sql = "UPDATE books SET title = $title WHERE id = $id RETURNING id, title"
shape = "row"
writes = ["books/{id}"]

[endpoints.shout]
path = "/shout"
methods = ["POST"]
sql = "UPDATE books SET title = upper(title)"
status = 204
"#;
