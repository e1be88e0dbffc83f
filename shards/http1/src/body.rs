//! Request bodies: of a known length, or chunked (RFC 9112 sections 6 and 7).
//!
//! A machine of one state per byte class. What it has seen is in the state, so nothing is buffered or read twice
//! and a million chunks of one byte cost a million small steps. Extensions and trailers are checked for
//! syntax, counted and thrown away.

#[cfg(test)]
mod tests;

use crate::text::{hex_value, is_field_text_byte, is_token_byte};
use crate::{BodyFraming, Refusal};

/// Bytes of chunk extensions per body, over all its chunks. Beyond: [`Refusal::BadRequest`].
pub const EXTENSION_BYTES_MAX: u32 = 4 * 1024;

/// Bytes of trailers per body, line ends included. Beyond: [`Refusal::BadRequest`].
pub const TRAILER_BYTES_MAX: u32 = 8 * 1024;

/// Digits of a chunk size: as many as 64 bits need.
const SIZE_DIGITS_MAX: u8 = 16;

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Bytes taken from the input; never one past the end of the body.
    pub consumed: usize,
    /// Whether the body has ended. If not, all of the input was taken.
    pub complete: bool,
}

/// Decoder of one request body, incremental and linear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyDecoder {
    state: State,
    /// Hexadecimal digits of the size being read.
    digits: u8,
    /// Bytes of chunk extensions so far.
    extension_bytes: u32,
    /// Bytes of trailers so far.
    trailer_bytes: u32,
    /// Bytes that the body, or the chunk, still has.
    missing: u64,
    /// Bytes of data that were taken or announced.
    total: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Data of a body whose length is known.
    Sized,
    /// A digit of a chunk size, or what ends it.
    Size,
    /// After white space behind a size: more of it, or `;`.
    SizeBlank,
    /// After a semicolon: the first byte of an extension's name.
    ExtensionStart,
    /// Inside an extension's name.
    ExtensionName,
    /// After white space behind a name: `=`, or `;`.
    ExtensionNameBlank,
    /// After `=`: the first byte of a value.
    ExtensionValueStart,
    /// Inside a value that is a token.
    ExtensionValue,
    /// After a value's closing quote.
    ExtensionEnd,
    /// Inside an extension's quoted string.
    Quoted,
    /// After a backslash in a quoted string.
    QuotedPair,
    /// The line feed that ends a size line.
    SizeEnd,
    /// Data of a chunk.
    Chunk,
    /// The carriage return after a chunk.
    ChunkCr,
    /// The line feed after a chunk.
    ChunkLf,
    /// The first byte of a trailer field, or of the last line.
    TrailerStart,
    /// Inside a trailer field's name.
    TrailerName,
    /// Inside a trailer field's value.
    TrailerValue,
    /// The line feed that ends a trailer field.
    TrailerEnd,
    /// The line feed that ends the body.
    LastLf,
    /// Nothing: the body has ended.
    Complete,
    /// Nothing: the body was refused, and stays so.
    Refused(Refusal),
}

impl BodyDecoder {
    /// A decoder for the body that `framing` announces.
    pub fn new(framing: BodyFraming) -> Self {
        let (state, missing) = match framing {
            BodyFraming::None | BodyFraming::Sized(0) => (State::Complete, 0),
            BodyFraming::Sized(length) => (State::Sized, length),
            BodyFraming::Chunked => (State::Size, 0),
        };
        BodyDecoder { state, digits: 0, extension_bytes: 0, trailer_bytes: 0, missing, total: missing }
    }

    /// Takes what belongs to the body from `input` and appends its data to `body`.
    ///
    /// [`Refusal::BodyTooLarge`] as soon as more than `body_bytes_max` bytes of data are announced, be it by the
    /// Content-Length or by the sizes of chunks so far. A refusal is final: later calls repeat it.
    pub fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        body_bytes_max: usize,
    ) -> Result<Decoded, Refusal> {
        self.run(input, body_bytes_max, |data| body.extend_from_slice(data))
    }

    /// Like [`BodyDecoder::decode`], but throws the data away: to drain a body after an early answer, or to
    /// account for data that was received elsewhere.
    pub fn skip(&mut self, input: &[u8], body_bytes_max: usize) -> Result<Decoded, Refusal> {
        self.run(input, body_bytes_max, |_| ())
    }

    /// How many bytes are still to come; `None` if only the chunks will tell.
    pub fn missing(&self) -> Option<u64> {
        match self.state {
            State::Sized => Some(self.missing),
            State::Complete => Some(0),
            _ => None,
        }
    }

    /// Whether the body has ended.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    fn run(
        &mut self,
        input: &[u8],
        body_bytes_max: usize,
        mut sink: impl FnMut(&[u8]),
    ) -> Result<Decoded, Refusal> {
        if self.total > body_bytes_max as u64 && self.state == State::Sized {
            self.state = State::Refused(Refusal::BodyTooLarge);
        }
        let mut rest = input;
        loop {
            match self.state {
                State::Complete => break,
                State::Refused(refusal) => return Err(refusal),
                State::Sized | State::Chunk => {
                    let data;
                    (data, rest) = rest.split_at(shorter(self.missing, rest.len()));
                    sink(data);
                    self.missing -= data.len() as u64;
                    if self.missing > 0 {
                        break;
                    }
                    self.state = match self.state {
                        State::Sized => State::Complete,
                        _ => State::ChunkCr,
                    };
                }
                state => {
                    let Some((&byte, after)) = rest.split_first() else { break };
                    rest = after;
                    self.state = match self.step(state, byte, body_bytes_max) {
                        Ok(next) => next,
                        Err(refusal) => State::Refused(refusal),
                    };
                }
            }
        }
        Ok(Decoded { consumed: input.len() - rest.len(), complete: self.state == State::Complete })
    }

    /// The state after `byte`, for every state outside of data.
    #[inline]
    fn step(&mut self, state: State, byte: u8, body_bytes_max: usize) -> Result<State, Refusal> {
        match state {
            State::Size => self.step_size(byte),
            State::SizeBlank
            | State::ExtensionStart
            | State::ExtensionName
            | State::ExtensionNameBlank
            | State::ExtensionValueStart
            | State::ExtensionValue
            | State::ExtensionEnd
            | State::Quoted
            | State::QuotedPair => self.step_extension(state, byte),
            State::SizeEnd => self.begin_chunk(byte, body_bytes_max),
            State::ChunkCr => expect(byte, b'\r', State::ChunkLf),
            State::ChunkLf => expect(byte, b'\n', State::Size),
            State::TrailerStart | State::TrailerName | State::TrailerValue | State::TrailerEnd => {
                self.step_trailer(state, byte)
            }
            State::LastLf => expect(byte, b'\n', State::Complete),
            State::Sized | State::Chunk | State::Complete | State::Refused(_) => Ok(state),
        }
    }

    #[inline]
    fn step_size(&mut self, byte: u8) -> Result<State, Refusal> {
        if let Some(digit) = hex_value(byte) {
            if self.digits == SIZE_DIGITS_MAX {
                return Err(Refusal::BadRequest);
            }
            self.digits += 1;
            self.missing = self.missing << 4 | u64::from(digit);
            return Ok(State::Size);
        }
        match byte {
            _ if self.digits == 0 => Err(Refusal::BadRequest),
            b'\r' => Ok(State::SizeEnd),
            b' ' | b'\t' | b';' => self.step_extension(State::SizeBlank, byte),
            _ => Err(Refusal::BadRequest),
        }
    }

    /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 section 7.1.1).
    fn step_extension(&mut self, state: State, byte: u8) -> Result<State, Refusal> {
        let may_end = matches!(state, State::ExtensionName | State::ExtensionValue | State::ExtensionEnd);
        if may_end && byte == b'\r' {
            return Ok(State::SizeEnd);
        }
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Refusal::BadRequest);
        }
        match (state, byte) {
            (State::Quoted, b'"') => Ok(State::ExtensionEnd),
            (State::Quoted, b'\\') => Ok(State::QuotedPair),
            (State::Quoted | State::QuotedPair, _) if is_field_text_byte(byte) => Ok(State::Quoted),
            (State::ExtensionName, b' ' | b'\t') => Ok(State::ExtensionNameBlank),
            (State::ExtensionValue | State::ExtensionEnd, b' ' | b'\t') => Ok(State::SizeBlank),
            (
                State::SizeBlank
                | State::ExtensionStart
                | State::ExtensionNameBlank
                | State::ExtensionValueStart,
                b' ' | b'\t',
            ) => Ok(state),
            (
                State::SizeBlank
                | State::ExtensionName
                | State::ExtensionNameBlank
                | State::ExtensionValue
                | State::ExtensionEnd,
                b';',
            ) => Ok(State::ExtensionStart),
            (State::ExtensionName | State::ExtensionNameBlank, b'=') => Ok(State::ExtensionValueStart),
            (State::ExtensionValueStart, b'"') => Ok(State::Quoted),
            (State::ExtensionStart | State::ExtensionName, _) if is_token_byte(byte) => {
                Ok(State::ExtensionName)
            }
            (State::ExtensionValueStart | State::ExtensionValue, _) if is_token_byte(byte) => {
                Ok(State::ExtensionValue)
            }
            _ => Err(Refusal::BadRequest),
        }
    }

    #[inline]
    fn begin_chunk(&mut self, byte: u8, body_bytes_max: usize) -> Result<State, Refusal> {
        if byte != b'\n' {
            return Err(Refusal::BadRequest);
        }
        self.digits = 0;
        if self.missing == 0 {
            return Ok(State::TrailerStart);
        }
        self.total = self.total.saturating_add(self.missing);
        match self.total > body_bytes_max as u64 {
            true => Err(Refusal::BodyTooLarge),
            false => Ok(State::Chunk),
        }
    }

    fn step_trailer(&mut self, state: State, byte: u8) -> Result<State, Refusal> {
        if state == State::TrailerStart && byte == b'\r' {
            return Ok(State::LastLf);
        }
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Refusal::BadRequest);
        }
        match (state, byte) {
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => Ok(State::TrailerName),
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, _) if is_field_text_byte(byte) => Ok(State::TrailerValue),
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            _ => Err(Refusal::BadRequest),
        }
    }
}

#[inline]
fn expect(byte: u8, expected: u8, next: State) -> Result<State, Refusal> {
    match byte == expected {
        true => Ok(next),
        false => Err(Refusal::BadRequest),
    }
}

#[inline]
fn shorter(missing: u64, available: usize) -> usize {
    usize::try_from(missing).map_or(available, |missing| missing.min(available))
}

const _: () = assert!(size_of::<BodyDecoder>() <= 48, "one per connection");
