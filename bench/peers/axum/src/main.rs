//! axum on tokio's current-thread runtime.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

fn main() -> std::io::Result<()> {
    let body: &'static str = peer_common::body().leak();
    let answer = move || async move { ([(CONTENT_TYPE, "application/json")], body) };
    let router = Router::new().route("/{*path}", get(answer));
    tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?.block_on(async {
        let listener = TcpListener::bind(peer_common::address()).await?.tap_io(|stream| {
            stream.set_nodelay(true).ok();
        });
        axum::serve(listener, router).await
    })
}
