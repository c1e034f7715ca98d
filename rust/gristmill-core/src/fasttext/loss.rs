//! From outputs to probabilities, in the library's precision and with its way to break ties.

use super::Answer;
use super::file::Parsed;

const TABLE_SIZE: usize = 512;
const TABLE_EDGE: f32 = 8.0;

/// What the library counts every output as before counts are known, so no leaf may reach it.
const UNKNOWN_COUNT: i64 = 1_000_000_000_000_000;

/// How a model was trained, as far as its answers depend on it.
#[derive(Debug)]
pub(super) enum Loss {
    /// A binary tree over the labels.
    Hierarchical(Tree),
    /// One decision per label: negative sampling and one-vs-all. The library looks the logistic
    /// function up in a table.
    Logistic(Vec<f32>),
    Softmax,
}

/// The library takes logarithms of probabilities that it moved away from zero.
fn log(probability: f32) -> f32 {
    (f64::from(probability) + 1e-5).ln() as f32
}

/// A probability as the library reports it: with what was added before the logarithm.
fn reported(probability: f32) -> f32 {
    (f64::from(probability) + 1e-5) as f32
}

impl Loss {
    pub fn new(name: i32, counts: &[i64]) -> Parsed<Self> {
        match name {
            1 => Tree::new(counts).map(Self::Hierarchical),
            2 | 4 => Ok(Self::Logistic(logistic_table())),
            3 => Ok(Self::Softmax),
            _ => Err(format!("loss {name} is not known: 1 (hs), 2 (ns), 3 (softmax), 4 (ova)")),
        }
    }

    /// The likeliest label; `outputs` is used up.
    pub fn best(&self, outputs: &mut [f32]) -> Answer {
        match self {
            Self::Hierarchical(tree) => tree.best(outputs),
            Self::Logistic(table) => {
                outputs.iter_mut().for_each(|output| *output = logistic(table, *output));
                let best = last_largest(outputs);
                (best, reported(outputs[best]))
            }
            Self::Softmax => {
                let total = exponents(outputs);
                let best = last_largest(outputs);
                (best, reported(outputs[best] / total))
            }
        }
    }

    /// The probability of a label; `outputs` is used up.
    pub fn probability(&self, outputs: &mut [f32], label: usize) -> f32 {
        match self {
            Self::Hierarchical(tree) => tree.probability(outputs, label),
            Self::Logistic(table) => reported(logistic(table, outputs[label])),
            Self::Softmax => {
                let total = exponents(outputs);
                reported(outputs[label] / total)
            }
        }
    }
}

/// Of equals the library's heap keeps the last.
fn last_largest(values: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value >= values[best] {
            best = at;
        }
    }
    best
}

/// Replace outputs by their exponents; gives the sum.
fn exponents(outputs: &mut [f32]) -> f32 {
    let largest = outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for output in outputs {
        *output = (*output - largest).exp();
        total += *output;
    }
    total
}

fn logistic_table() -> Vec<f32> {
    let x = |at: usize| at as f32 * 2.0 * TABLE_EDGE / TABLE_SIZE as f32 - TABLE_EDGE;
    (0..=TABLE_SIZE).map(|at| (1.0 / (1.0 + f64::from((-x(at)).exp()))) as f32).collect()
}

fn logistic(table: &[f32], x: f32) -> f32 {
    if x < -TABLE_EDGE {
        0.0
    } else if x > TABLE_EDGE {
        1.0
    } else {
        table[((x + TABLE_EDGE) * TABLE_SIZE as f32 / TABLE_EDGE / 2.0) as usize]
    }
}

/// The Huffman tree of the labels' counts. Labels are nodes 0 to n - 1, the root is the last node.
#[derive(Debug)]
pub(super) struct Tree {
    n_labels: usize,
    /// Left and right child of each inner node.
    children: Vec<[usize; 2]>,
    /// Parent of each node, and whether it is the right child; the root is its own.
    parents: Vec<(usize, bool)>,
}

impl Tree {
    fn new(counts: &[i64]) -> Parsed<Self> {
        if let Some(count) = counts.iter().find(|count| !(0..UNKNOWN_COUNT).contains(count)) {
            return Err(format!("a label was seen {count} times"));
        }
        let n_labels = counts.len();
        let n_nodes = 2 * n_labels - 1;
        let mut counts = counts.to_vec();
        let mut parents = vec![(n_nodes - 1, false); n_nodes];
        let (mut leaves, mut node) = (n_labels, n_labels);
        let mut children = Vec::with_capacity(n_labels - 1);
        for inner in n_labels..n_nodes {
            let mut lightest = || {
                let is_leaf =
                    leaves > 0 && counts.get(node).is_none_or(|count| counts[leaves - 1] < *count);
                if is_leaf {
                    leaves -= 1;
                    leaves
                } else {
                    node += 1;
                    node - 1
                }
            };
            let pair = [lightest(), lightest()];
            counts.push(counts[pair[0]] + counts[pair[1]]);
            parents[pair[0]] = (inner, false);
            parents[pair[1]] = (inner, true);
            children.push(pair);
        }
        Ok(Self { n_labels, children, parents })
    }

    /// The logarithms of going left and right at an inner node.
    fn branches(&self, outputs: &[f32], node: usize) -> [f32; 2] {
        let right = (1.0 / f64::from(1.0 + (-outputs[node - self.n_labels]).exp())) as f32;
        [log((1.0 - f64::from(right)) as f32), log(right)]
    }

    /// Depth first, left first; a branch that is less likely than the best label is left out.
    fn best(&self, outputs: &[f32]) -> Answer {
        let mut open = vec![(self.parents.len() - 1, 0.0)];
        let mut best = (0, f32::NEG_INFINITY);
        while let Some((node, score)) = open.pop() {
            if score < best.1 {
                continue;
            }
            if node < self.n_labels {
                best = (node, score);
                continue;
            }
            let [left, right] = self.children[node - self.n_labels];
            let [to_left, to_right] = self.branches(outputs, node);
            open.extend([(right, score + to_right), (left, score + to_left)]);
        }
        (best.0, best.1.exp())
    }

    fn probability(&self, outputs: &[f32], label: usize) -> f32 {
        let (mut node, mut path) = (label, Vec::new());
        while node != self.parents.len() - 1 {
            let (parent, is_right) = self.parents[node];
            path.push(self.branches(outputs, parent)[usize::from(is_right)]);
            node = parent;
        }
        path.iter().rev().fold(0.0, |score, step| score + step).exp()
    }
}
