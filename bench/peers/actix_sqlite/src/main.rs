//! What one would write by hand instead of a `ringmill.toml`: actix-web over a pool of SQLite
//! connections, without a cache. Durable as Ringmill is: WAL, synchronous FULL.
//!
//! `GET /api/user/{id}` and `POST /api/users`; the database is `peer.db` in the working directory.

use std::time::Duration;

use actix_web::http::header::LOCATION;
use actix_web::{App, HttpResponse, HttpServer, error, web};
use r2d2::ManageConnection;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

const CONNECTIONS: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct User {
    id: i64,
    name: String,
    email: String,
}

#[derive(Deserialize)]
struct NewUser {
    name: String,
    email: String,
}

#[derive(Serialize)]
struct Refusal {
    error: &'static str,
}

struct Database;

impl ManageConnection for Database {
    type Connection = Connection;
    type Error = rusqlite::Error;

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open("peer.db")?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        Ok(connection)
    }

    fn is_valid(&self, _connection: &mut Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    fn has_broken(&self, _connection: &mut Connection) -> bool {
        false
    }
}

type Pool = r2d2::Pool<Database>;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let pool = Pool::builder().max_size(CONNECTIONS).build(Database).map_err(std::io::Error::other)?;
    pool.get()
        .map_err(std::io::Error::other)?
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS users \
             (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE)",
        )
        .map_err(std::io::Error::other)?;
    let app = move || {
        App::new()
            .app_data(web::Data::new(pool.clone()))
            .route("/api/user/{id}", web::get().to(user))
            .route("/api/users", web::post().to(create))
    };
    HttpServer::new(app).workers(1).tcp_nodelay(true).bind(peer_common::address())?.run().await
}

async fn user(pool: web::Data<Pool>, id: web::Path<i64>) -> actix_web::Result<HttpResponse> {
    let found = on_pool(pool, move |connection| {
        connection
            .prepare_cached("SELECT id, name, email FROM users WHERE id = ?1")?
            .query_row([*id], |row| Ok(User { id: row.get(0)?, name: row.get(1)?, email: row.get(2)? }))
            .optional()
    })
    .await?;
    Ok(match found {
        Some(user) => HttpResponse::Ok().json(user),
        None => HttpResponse::NotFound().json(Refusal { error: "User not found" }),
    })
}

async fn create(pool: web::Data<Pool>, new: web::Json<NewUser>) -> actix_web::Result<HttpResponse> {
    let NewUser { name, email } = new.into_inner();
    let user = on_pool(pool, move |connection| {
        let id = connection
            .prepare_cached("INSERT INTO users (name, email) VALUES (?1, ?2)")?
            .insert((&name, &email))?;
        Ok(User { id, name, email })
    })
    .await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/api/user/{}", user.id))).json(user))
}

/// SQLite blocks, so it runs on actix's threads for that.
async fn on_pool<T: Send + 'static>(
    pool: web::Data<Pool>,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> actix_web::Result<T> {
    let run = move || -> Result<T, Box<dyn std::error::Error + Send + Sync>> { Ok(query(&*pool.get()?)?) };
    web::block(run).await?.map_err(error::ErrorInternalServerError)
}
