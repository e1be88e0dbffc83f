//! Received bytes.

use crate::kernel::Shared;
use std::ops::Deref;

/// What a buffer is overwritten with when it is given back.
pub(crate) const SCRIBBLE: u8 = 0xAA;

/// Received bytes, readable until this is dropped, which scribbles over them and gives the buffer back.
pub struct Lease {
    pub(crate) bytes: Box<[u8]>,
    pub(crate) length: usize,
    pub(crate) shard: usize,
    pub(crate) kernel: Option<Shared>,
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.fill(SCRIBBLE);
        if let Some(kernel) = self.kernel.take() {
            // A completion that is thrown away within the kernel gives its buffer back there.
            if let Ok(mut kernel) = kernel.try_borrow_mut() {
                kernel.rings[self.shard].free.push(bytes);
            }
        }
    }
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.length)
    }
}
