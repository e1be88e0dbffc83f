//! may_minihttp: stackful coroutines over epoll, with one worker.

use std::io;

use may_minihttp::{HttpServer, HttpService, Request, Response};

#[derive(Clone)]
struct Constant {
    body: &'static str,
}

impl HttpService for Constant {
    fn call(&mut self, _request: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: application/json").body(self.body);
        Ok(())
    }
}

fn main() -> io::Result<()> {
    may::config().set_workers(1);
    let service = Constant { body: peer_common::body().leak() };
    HttpServer(service).start(peer_common::address())?.wait();
    Ok(())
}
