//! glommio: a hand-written loop per connection, heads parsed with httparse.

use std::io;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::net::{TcpListener, TcpStream};
use glommio::{LocalExecutorBuilder, Placement};
use peer_common::{Answer, count_requests};

const INPUT_BYTES_MAX: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let answer: &'static Answer = Box::leak(Box::new(Answer::from_environment()));
    // Whoever starts a peer pins it; the executor stays where it is put.
    LocalExecutorBuilder::new(Placement::Unbound).make()?.run(async {
        let listener = TcpListener::bind(peer_common::address())?;
        loop {
            let stream = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A connection that ends, however it ends, concerns nobody else.
            glommio::spawn_local(async move { serve(stream, answer).await.ok() }).detach();
        }
    })
}

async fn serve(mut stream: TcpStream, answer: &'static Answer) -> io::Result<()> {
    let mut input = vec![0; INPUT_BYTES_MAX];
    let mut held = 0;
    loop {
        let read = stream.read(&mut input[held..]).await?;
        if read == 0 {
            return Ok(());
        }
        held += read;
        let (requests, taken) = count_requests(&input[..held]).ok_or(io::ErrorKind::InvalidData)?;
        input.copy_within(taken..held, 0);
        held -= taken;
        let mut bytes_owed = answer.len_of(requests);
        while bytes_owed > 0 {
            let bytes = answer.owed(bytes_owed);
            stream.write_all(bytes).await?;
            bytes_owed -= bytes.len();
        }
    }
}
