//! Disjoint sets whose representative is the smallest member.

/// Disjoint sets of `0..n`.
#[derive(Debug)]
pub struct UnionFind(Vec<u32>);

impl UnionFind {
    /// Every member alone.
    pub fn new(n: usize) -> Self {
        Self((0..n as u32).collect())
    }

    /// The smallest member of the set of `member`; shortens the path to it (halving, Tarjan and van
    /// Leeuwen 1984).
    pub fn find(&mut self, mut member: u32) -> u32 {
        while self.0[member as usize] != member {
            let parent = self.0[member as usize];
            self.0[member as usize] = self.0[parent as usize];
            member = parent;
        }
        member
    }

    /// A member of the same set, the smallest one after [`UnionFind::representatives`].
    pub fn parent(&self, member: u32) -> u32 {
        self.0[member as usize]
    }

    /// Join the sets of `a` and `b`; false when they were one already.
    pub fn union(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
        a != b
    }

    /// The smallest member of each member's set.
    pub fn representatives(&mut self) -> &[u32] {
        // A parent is smaller than its child, so it is final when the child asks.
        for member in 0..self.0.len() {
            self.0[member] = self.0[self.0[member] as usize];
        }
        &self.0
    }
}
