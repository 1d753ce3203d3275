//! zstd frames with contexts that are kept per thread: a fresh context costs more than a small
//! note takes to decode.

use std::cell::RefCell;
use std::io::Cursor;

use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, InBuffer, OutBuffer, ResetDirective, get_error_name,
};

use super::FormatError;

/// DejaVu writes at its library's default speed, comparable to zstd's level 3 (format page).
const LEVEL: i32 = 3;

/// DejaVu's encoder states the content size only from this many plain bytes on (golden); ours does
/// the same, so that nobody can tell whose object it is.
const SIZED_FROM: usize = 256;

/// The frame that DejaVu writes for nothing (golden): a single segment of no bytes and an empty raw block.
const EMPTY_FRAME: [u8; 9] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x00, 0x01, 0x00, 0x00];

/// A frame header is at most this long: magic 4, descriptor 1, window 1, dictionary ID 4, content size 8.
pub(super) const MAX_FRAME_HEADER: usize = 18;

/// A frame that does not say its size is expanded in steps of so many bytes.
const BLOCK: usize = 16 << 10;

thread_local! {
    static DECODER: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
    static ENCODER: RefCell<CCtx<'static>> = RefCell::new(CCtx::create());
}

fn bad(code: usize) -> FormatError {
    FormatError::BadFrame(get_error_name(code).to_owned())
}

/// What a frame's header says of its plain length: `None` where it does not say. A hint until the
/// frame has been authenticated.
pub(super) fn content_size(head: &[u8]) -> Result<Option<u64>, FormatError> {
    zstd::zstd_safe::get_frame_content_size(head)
        .map_err(|_| FormatError::BadFrame("it does not begin with a zstd frame header".into()))
}

/// The length of the first frame in `bytes` as its block headers tell it, or `None` where the
/// bytes end before the frame does or are no frame.
pub(super) fn frame_length(bytes: &[u8]) -> Option<usize> {
    zstd::zstd_safe::find_frame_compressed_size(bytes).ok()
}

/// The plain length of a frame that may have at most `limit` bytes; `None` where it does not say.
pub(super) fn plain_len(frame: &[u8], limit: usize) -> Result<Option<usize>, FormatError> {
    match content_size(frame)? {
        Some(size) if size > limit as u64 => Err(FormatError::TooLarge(size)),
        size => Ok(size.map(|size| size as usize)),
    }
}

/// Expands one frame to at most `limit` bytes.
pub(super) fn decompress(frame: &[u8], limit: usize) -> Result<Vec<u8>, FormatError> {
    decompress_in(frame, limit, Vec::new())
}

/// The same in memory that is there, as far as it suffices; what it holds goes.
pub(super) fn decompress_in(
    frame: &[u8],
    limit: usize,
    mut plain: Vec<u8>,
) -> Result<Vec<u8>, FormatError> {
    match plain_len(frame, limit)? {
        Some(size) => DECODER.with_borrow_mut(|ctx| {
            plain.clear();
            plain.reserve_exact(size);
            ctx.decompress(&mut plain, frame).map_err(bad)?;
            Ok(plain)
        }),
        None => grow(frame, limit, limit).map(|(plain, _)| plain),
    }
}

/// Expands the beginning of a frame of which `head` is the beginning: as many whole blocks as it
/// holds, at most `limit` bytes.
pub(super) fn decompress_head(head: &[u8], limit: usize) -> Result<Vec<u8>, FormatError> {
    grow(head, usize::MAX, limit).map(|(plain, _)| plain)
}

/// Expands one frame into exactly the bytes that it says it has.
pub(super) fn decompress_into(frame: &[u8], plain: &mut [u8]) -> Result<(), FormatError> {
    let written = DECODER.with_borrow_mut(|ctx| ctx.decompress(plain, frame)).map_err(bad)?;
    if written != plain.len() {
        return Err(FormatError::BadFrame("it has another size than it says".into()));
    }
    Ok(())
}

/// Streams a frame into a vector that grows as it must. Stops at the end of the frame or of the
/// input; `refuse` bytes are an error, `enough` bytes are enough.
fn grow(frame: &[u8], refuse: usize, enough: usize) -> Result<(Vec<u8>, bool), FormatError> {
    DECODER.with_borrow_mut(|ctx| {
        ctx.reset(ResetDirective::SessionOnly).map_err(bad)?;
        let mut plain = Vec::new();
        let mut block = [0u8; BLOCK];
        let mut input = InBuffer::around(frame);
        loop {
            let mut output = OutBuffer::around(&mut block[..]);
            let hint = ctx.decompress_stream(&mut output, &mut input).map_err(bad)?;
            let got = output.pos();
            if plain.len() + got > refuse {
                return Err(FormatError::TooLarge((plain.len() + got) as u64));
            }
            if plain.capacity() - plain.len() < got {
                // Doubled as usual, but never beyond what may come.
                let most = refuse - plain.len();
                plain.reserve_exact(plain.len().max(BLOCK).min(most).max(got));
            }
            plain.extend_from_slice(&block[..got]);
            if hint == 0 {
                return Ok((plain, true));
            }
            if plain.len() >= enough && refuse == usize::MAX {
                return Ok((plain, false));
            }
            if got == 0 && input.pos() == frame.len() {
                if refuse == usize::MAX {
                    return Ok((plain, false));
                }
                return Err(FormatError::Truncated {
                    have: frame.len() as u64,
                    need: (frame.len() + hint) as u64,
                });
            }
        }
    })
}

/// One frame as DejaVu would write it: no checksum, content size from 256 bytes on, window at
/// most 512 KiB.
pub(super) fn compress(plain: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    compress_onto(plain, &mut frame);
    frame
}

/// The same behind what `onto` holds.
pub(super) fn compress_onto(plain: &[u8], onto: &mut Vec<u8>) {
    if plain.is_empty() {
        return onto.extend_from_slice(&EMPTY_FRAME);
    }
    ENCODER.with_borrow_mut(|ctx| {
        onto.reserve_exact(zstd::zstd_safe::compress_bound(plain.len()));
        let behind = onto.len() as u64;
        let mut onto = Cursor::new(onto);
        onto.set_position(behind);
        (|| {
            ctx.reset(ResetDirective::SessionAndParameters)?;
            ctx.set_parameter(CParameter::CompressionLevel(LEVEL))?;
            ctx.set_parameter(CParameter::WindowLog(19))?;
            ctx.set_parameter(CParameter::ChecksumFlag(false))?;
            ctx.set_parameter(CParameter::ContentSizeFlag(plain.len() >= SIZED_FROM))?;
            ctx.compress2(&mut onto, plain)
        })()
        .map_err(bad)
        .expect("compression into a buffer of the bound's size cannot fail");
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_stated_from_256_bytes_on() {
        for len in [0usize, 1, 255, 256, 257, 70_000] {
            let plain: Vec<u8> = (0..len).map(|i| (i / 7) as u8).collect();
            let frame = compress(&plain);
            let stated = content_size(&frame).unwrap();
            assert_eq!(stated.is_some(), len >= 256 || len == 0, "{len}");
            assert_eq!(decompress(&frame, len).unwrap(), plain);
            let mut behind = b"before".to_vec();
            compress_onto(&plain, &mut behind);
            assert_eq!(behind.strip_prefix(b"before"), Some(&frame[..]));
            for there in [vec![1; 3], vec![2; 100_000]] {
                assert_eq!(decompress_in(&frame, len, there).unwrap(), plain);
            }
            assert_eq!(frame_length(&frame), Some(frame.len()));
            assert_eq!(frame_length(&frame[..frame.len() - 1]), None);
        }
    }

    #[test]
    fn bombs_are_refused_whether_they_say_their_size_or_not() {
        let sized = compress(&vec![0; 1 << 20]);
        assert_eq!(decompress(&sized, 1000), Err(FormatError::TooLarge(1 << 20)));
        let mut unsized_frame = Vec::new();
        zstd::stream::copy_encode(&vec![0u8; 1 << 20][..], &mut unsized_frame, 3).unwrap();
        assert_eq!(content_size(&unsized_frame).unwrap(), None);
        assert!(matches!(decompress(&unsized_frame, 1000), Err(FormatError::TooLarge(_))));
    }

    #[test]
    fn a_head_expands_as_far_as_it_reaches() {
        let plain: Vec<u8> = (0..600_000u32).flat_map(|i| i.to_string().into_bytes()).collect();
        let frame = compress(&plain);
        let head = decompress_head(&frame[..frame.len() / 2], 1 << 30).unwrap();
        assert!(head.len() > 100_000 && plain.starts_with(&head));
        assert!(decompress(&frame[..frame.len() / 2], 1 << 30).is_err());
    }
}
