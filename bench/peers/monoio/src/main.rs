//! monoio on io_uring: a hand-written loop per connection, heads parsed with httparse.

use std::io;

use monoio::IoUringDriver;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRentExt};
use monoio::net::{TcpListener, TcpStream};
use peer_common::{Answer, count_requests};

const INPUT_BYTES_MAX: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let answer: &'static Answer = Box::leak(Box::new(Answer::from_environment()));
    monoio::RuntimeBuilder::<IoUringDriver>::new().build()?.block_on(async {
        let listener = TcpListener::bind(peer_common::address())?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A connection that ends, however it ends, concerns nobody else.
            monoio::spawn(async move { serve(stream, answer).await.ok() });
        }
    })
}

async fn serve(mut stream: TcpStream, answer: &'static Answer) -> io::Result<()> {
    let mut input = Vec::with_capacity(INPUT_BYTES_MAX);
    loop {
        let held = input.len();
        let (read, slice) = stream.read(input.slice_mut(held..INPUT_BYTES_MAX)).await;
        input = slice.into_inner();
        if read? == 0 {
            return Ok(());
        }
        let (requests, taken) = count_requests(&input).ok_or(io::ErrorKind::InvalidData)?;
        input.drain(..taken);
        let mut bytes_owed = answer.len_of(requests);
        while bytes_owed > 0 {
            let bytes = answer.owed(bytes_owed);
            stream.write_all(bytes).await.0?;
            bytes_owed -= bytes.len();
        }
    }
}
