//! Notes of SiYuan as they are read. What a note embeds from others is found where it stands itself.

use crate::format::ChunkId;
use crate::repo::{ObjectError, Repository};
use crate::siyuan::notes::markdown::{self, Nothing};
use crate::siyuan::notes::tree::{LARGEST, Tree};

/// Whether a path is that of a note.
pub(super) fn is_one(path: &str) -> bool {
    path.ends_with(".sy")
}

/// The Markdown of the note that is made of these chunks; `None` for what is no note, or too large for
/// one, and for notes of encrypted notebooks.
pub(super) fn markdown(
    repo: &Repository,
    chunks: &[ChunkId],
) -> Result<Option<String>, ObjectError> {
    let mut bytes = Vec::new();
    for id in chunks {
        bytes.extend(repo.objects().chunk(*id)?);
        if bytes.len() > LARGEST {
            return Ok(None);
        }
    }
    let tree = Tree::parse(&bytes).ok();
    Ok(tree.and_then(|tree| markdown::render(tree, &Nothing).ok()))
}
