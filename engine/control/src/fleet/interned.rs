//! Values that many devices share, each stored once and named by a number.

use std::collections::HashMap;
use std::hash::Hash;

/// See the module's page. Number 0 is nobody's: it stands for "none".
#[derive(Debug)]
pub(super) struct Interned<T> {
    numbers: HashMap<T, u32>,
    /// Value and how many use it.
    values: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), values: vec![None], free: Vec::new() }
    }
}

impl<T: Eq + Hash + Clone> Interned<T> {
    /// The number of a value, for one user more.
    pub(super) fn take(&mut self, value: &T) -> u32 {
        if let Some(&number) = self.numbers.get(value) {
            if let Some(Some((_, uses))) = self.values.get_mut(number as usize) {
                *uses += 1;
            }
            return number;
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.values.push(None);
            self.values.len() as u32 - 1
        });
        self.values[number as usize] = Some((value.clone(), 1));
        self.numbers.insert(value.clone(), number);
        number
    }

    /// One user less; the last one's value is forgotten and given back.
    pub(super) fn release(&mut self, number: u32) -> Option<T> {
        let place = self.values.get_mut(number as usize)?;
        let (_, uses) = place.as_mut()?;
        *uses -= 1;
        if *uses > 0 {
            return None;
        }
        let (value, _) = place.take()?;
        self.numbers.remove(&value);
        self.free.push(number);
        Some(value)
    }

    /// The value of a number.
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.values.get(number as usize)?.as_ref().map(|(value, _)| value)
    }

    /// The number of a value that somebody uses.
    pub(super) fn number(&self, value: &T) -> Option<u32> {
        self.numbers.get(value).copied()
    }

    /// All that are used, with their numbers and uses.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T, u32)> {
        let used = |(number, place): (usize, &'_ Option<(T, u32)>)| place.as_ref().map(|_| number as u32);
        self.values
            .iter()
            .enumerate()
            .filter_map(used)
            .filter_map(|number| self.values[number as usize].as_ref().map(|(value, uses)| (number, value, *uses)))
    }

    /// How many are used.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shared_and_used_again() {
        let mut names = Interned::<Box<str>>::default();
        let (a, b) = (names.take(&"a".into()), names.take(&"b".into()));
        assert_eq!(names.take(&"a".into()), a);
        assert!(a != 0 && b != 0 && a != b);
        assert_eq!(names.release(a), None);
        assert_eq!(names.release(a).as_deref(), Some("a"));
        assert_eq!((names.get(a), names.number(&"a".into()), names.len()), (None, None, 1));
        assert_eq!(names.take(&"c".into()), a, "its number is free");
        assert_eq!(names.iter().map(|(_, value, uses)| (&**value, uses)).collect::<Vec<_>>(), [("c", 1), ("b", 1)]);
    }
}
