//! The Merkle tree of RFC 6962 section 2.1.

use aws_lc_rs::digest::{Context, SHA256};

use super::Hash;
use crate::digest::sha256;

/// SHA-256 over 0x00 and the data: a leaf can never be taken for an inner node.
pub fn leaf_hash(data: &[u8]) -> Hash {
    prefixed(0, &[data])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    prefixed(1, &[left, right])
}

fn prefixed(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[prefix]);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A tree that grows leaf by leaf and keeps no more than one hash for each power of two.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    size: u64,
    /// The roots of the full subtrees from left to right: each is larger than the next.
    full: Vec<Hash>,
}

impl Tree {
    /// Adds a leaf on the right.
    pub fn push(&mut self, leaf: Hash) {
        let (mut node, mut level) = (leaf, self.size);
        while level & 1 == 1 {
            let Some(left) = self.full.pop() else { break };
            node = node_hash(&left, &node);
            level >>= 1;
        }
        self.full.push(node);
        self.size += 1;
    }

    /// Merkle Tree Hash; of no leaf at all, the hash of nothing.
    pub fn root(&self) -> Hash {
        let smallest_first = self.full.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(|| sha256(&[]))
    }
}

impl Extend<Hash> for Tree {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaves: T) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

fn root(leaves: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    tree.extend(leaves.iter().copied());
    tree.root()
}

/// The Merkle audit path of the leaf at `index` (section 2.1.1), from the bottom to the top; `None` without such a leaf.
pub fn path(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut part, mut index, mut path) = (leaves, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at(part.len().next_power_of_two() / 2);
        if index < left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            index -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The root that a leaf and its audit path lead to in a tree of `size` leaves (RFC 9162 section 2.1.3.2); `None` if the path
/// has another length than one there has.
pub fn root_by_path(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut place, mut last, mut node) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if place & 1 == 1 || place == last {
            node = node_hash(sibling, &node);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(&node, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}
