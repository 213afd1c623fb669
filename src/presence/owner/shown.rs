//! Who is shown on a stream, in pieces that snapshots share: a snapshot copies a pointer for each piece,
//! not for each presence.

use std::sync::Arc;

use crate::presence::Presence;

/// Presences of a piece at most: a change copies one piece where a snapshot holds it.
const PIECE_LEN: usize = if cfg!(test) { 4 } else { 64 };

type Piece = Arc<Vec<Arc<Presence>>>;

/// The presences that those who join a stream are shown, in no promised order.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(Vec<Piece>);

impl Snapshot {
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Presence>> {
        self.0.iter().flat_map(|piece| piece.iter())
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    /// Pieces are never empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn add(&mut self, presence: Arc<Presence>) {
        match self.0.last_mut().filter(|piece| piece.len() < PIECE_LEN) {
            Some(piece) => Arc::make_mut(piece).push(presence),
            None => self.0.push(Arc::new(vec![presence])),
        }
    }

    /// Removes this very presence. Takes time linear in the stream, but looks at pointers alone.
    pub(super) fn remove(&mut self, presence: &Arc<Presence>) {
        let found = self.0.iter_mut().enumerate().find_map(|(number, piece)| {
            let place = piece.iter().position(|shown| Arc::ptr_eq(shown, presence))?;
            Some((number, piece, place))
        });
        let Some((number, piece, place)) = found else { return };
        let piece = Arc::make_mut(piece);
        piece.swap_remove(place);
        // Thin pieces are spread over the others, so that there are never many.
        if piece.is_empty() || piece.len() < PIECE_LEN / 2 && number + 1 < self.0.len() {
            let thin = self.0.remove(number);
            thin.iter().for_each(|presence| self.add(Arc::clone(presence)));
        }
    }
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Snapshot {}

impl FromIterator<Arc<Presence>> for Snapshot {
    fn from_iter<I: IntoIterator<Item = Arc<Presence>>>(presences: I) -> Self {
        let mut snapshot = Self::default();
        presences.into_iter().for_each(|presence| snapshot.add(presence));
        snapshot
    }
}

impl<'a> IntoIterator for &'a Snapshot {
    type Item = &'a Arc<Presence>;
    type IntoIter = Box<dyn Iterator<Item = Self::Item> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}
