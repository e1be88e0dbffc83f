//! actix-web with one worker.

use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let body: &'static str = peer_common::body().leak();
    let answer = move || async move { HttpResponse::Ok().content_type(ContentType::json()).body(body) };
    HttpServer::new(move || App::new().route("/{path:.*}", web::get().to(answer)))
        .workers(1)
        .tcp_nodelay(true)
        .bind(peer_common::address())?
        .run()
        .await
}
