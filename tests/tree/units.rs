//! Values of `limits.rs` as an operator reads them: `Duration::from_secs(300)` is 5 min, `64 << 10` bytes are 64 KiB.

use std::collections::BTreeMap;

/// The numbers of all bounds by their names; a name with two meanings is left out.
#[must_use]
pub fn numbers<'a>(bounds: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, Option<i128>> {
    let mut known: BTreeMap<String, Option<i128>> = BTreeMap::new();
    let all: Vec<_> = bounds.collect();
    // A bound may be made of others that stand after it.
    for _ in 0..4 {
        let mut found: BTreeMap<String, Option<i128>> = BTreeMap::new();
        for (name, value) in &all {
            let number = evaluate(value, &known);
            let entry = found.entry((*name).to_owned()).or_insert(number);
            if *entry != number {
                *entry = None;
            }
        }
        known = found;
    }
    known
}

/// A value in the unit that its name says, or as it stands in the source.
#[must_use]
pub fn in_words(name: &str, value: &str, known: &BTreeMap<String, Option<i128>>) -> String {
    if let Some(list) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let parts: Vec<_> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
        // What is cut within brackets is no list of plain values.
        if parts.iter().all(|part| part.matches('(').count() == part.matches(')').count()) {
            return parts.iter().map(|part| in_words(name, part, known)).collect::<Vec<_>>().join(", ");
        }
    }
    if value == "Duration::ZERO" {
        return "0 s".to_owned();
    }
    for (call, per_second) in [("from_secs", 1_000), ("from_millis", 1)] {
        if let Some(inner) = value.strip_prefix("Duration::").and_then(|rest| rest.strip_prefix(call))
            && let Some(number) = evaluate(inner, known)
        {
            return time(number * per_second);
        }
    }
    if let Some(inner) = value.strip_prefix("Duration::from_micros")
        && let Some(number) = evaluate(inner, known)
    {
        return format!("{} us", grouped(number));
    }
    let Some(number) = evaluate(value, known) else { return format!("`{value}`") };
    match name.rsplit('_').next().unwrap_or_default() {
        "BYTES" => bytes(number),
        "S" => time(number * 1_000),
        "MS" => time(number),
        "US" => format!("{} us", grouped(number)),
        "NS" if number % 1_000_000_000 == 0 => time(number / 1_000_000),
        "NS" => format!("{} ns", grouped(number)),
        _ => grouped(number),
    }
}

fn bytes(number: i128) -> String {
    match number {
        n if n >= 1 << 30 && n % (1 << 30) == 0 => format!("{} GiB", n >> 30),
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{} bytes", grouped(n)),
    }
}

fn time(ms: i128) -> String {
    match ms {
        n if n >= 2 * 86_400_000 && n % 86_400_000 == 0 => format!("{} days", n / 86_400_000),
        n if n >= 3_600_000 && n % 3_600_000 == 0 => format!("{} h", n / 3_600_000),
        n if n >= 120_000 && n % 60_000 == 0 => format!("{} min", n / 60_000),
        n if n >= 1_000 && n % 1_000 == 0 => format!("{} s", grouped(n / 1_000)),
        n => format!("{} ms", grouped(n)),
    }
}

fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number of an expression of whole numbers, known names, `+ - * / << as` and brackets.
fn evaluate(text: &str, known: &BTreeMap<String, Option<i128>>) -> Option<i128> {
    let mut reader = Reader { rest: text.trim(), known };
    let number = reader.shifted()?;
    reader.rest.is_empty().then_some(number)
}

struct Reader<'a> {
    rest: &'a str,
    known: &'a BTreeMap<String, Option<i128>>,
}

impl Reader<'_> {
    fn eat(&mut self, sign: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(sign) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn shifted(&mut self) -> Option<i128> {
        let mut number = self.sum()?;
        while self.eat("<<") {
            number = number.checked_shl(u32::try_from(self.sum()?).ok()?)?;
        }
        Some(number)
    }

    fn sum(&mut self) -> Option<i128> {
        let mut number = self.product()?;
        loop {
            if self.eat("+") {
                number += self.product()?;
            } else if self.eat("-") {
                number -= self.product()?;
            } else {
                return Some(number);
            }
        }
    }

    fn product(&mut self) -> Option<i128> {
        let mut number = self.term()?;
        loop {
            if self.eat("*") {
                number = number.checked_mul(self.term()?)?;
            } else if self.eat("/") {
                number = number.checked_div(self.term()?)?;
            } else {
                return Some(number);
            }
        }
    }

    fn term(&mut self) -> Option<i128> {
        let number = if self.eat("(") {
            let inner = self.shifted()?;
            self.eat(")").then_some(inner)?
        } else {
            let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | ':'));
            let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            self.rest = rest.trim_start();
            let last = word.rsplit("::").next().unwrap_or_default();
            match last.replace('_', "").parse() {
                Ok(number) => number,
                Err(_) => (*self.known.get(last)?)?,
            }
        };
        // A conversion changes no bound: those that it would cut do not compile.
        while self.eat("as ") {
            let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(self.rest.len());
            self.rest = self.rest[end..].trim_start();
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_unit_of_their_name() {
        let known = numbers(
            [("FRAME_BYTES", "1_024 * 32"), ("TWICE", "FRAME_BYTES as u64 * 2"), ("A", "1"), ("A", "2")].into_iter(),
        );
        let words = |name, value| in_words(name, value, &known);
        assert_eq!(words("WAIT", "Duration::from_secs(300)"), "5 min");
        assert_eq!(words("SPAN", "Duration::from_secs(7 * 86_400)"), "7 days");
        assert_eq!(words("POLL", "Duration::from_millis(1_500)"), "1,500 ms");
        assert_eq!(words("BODY_BYTES", "64 << 10"), "64 KiB");
        assert_eq!(words("BODY_BYTES", "(1 << 20) + 1"), "1,048,577 bytes");
        assert_eq!(words("QUEUE_BYTES", "super::TWICE"), "64 KiB");
        assert_eq!(words("LOGIN_MS", "15_000"), "15 s");
        assert_eq!(
            (words("DEVICES", "2_000_000"), words("SHARE", "0.5")),
            ("2,000,000".to_owned(), "`0.5`".to_owned())
        );
        assert_eq!(
            words("PAUSES", "[Duration::ZERO, Duration::from_secs(60), Duration::from_secs(2 * 60)]"),
            "0 s, 60 s, 2 min"
        );
        assert_eq!(words("LEVELS", "[(32, 1), (24, 4)]"), "`[(32, 1), (24, 4)]`");
        assert_eq!(words("COST", "Duration::from_micros(100)"), "100 us");
        assert_eq!(words("X", "A"), "`A`", "a name with two meanings is not guessed");
    }
}
