//! The index of decision records, made from their first lines.

/// What a record's first lines say: its number, title, date and status.
///
/// A record begins with `# 7. Title`, an empty line, and `2026-11-23, in force.` or another status.
///
/// # Errors
/// What is not as it should be.
pub fn heading(path: &str, text: &str) -> Result<(u32, String, String, String), String> {
    let mut lines = text.lines();
    let title = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or_else(|| format!("{path}: no title"))?;
    let (number, title) = title.split_once(". ").ok_or_else(|| format!("{path}: no number in the title"))?;
    let number = number.parse().map_err(|_| format!("{path}: {number} is no number"))?;
    let named = path.rsplit('/').next().and_then(|name| name.get(..4)).and_then(|four| four.parse().ok());
    if named != Some(number) {
        return Err(format!("{path}: the title says {number}"));
    }
    let state = lines.nth(1).and_then(|line| line.strip_suffix('.')).ok_or_else(|| format!("{path}: no date line"))?;
    let (date, status) = state.split_once(", ").ok_or_else(|| format!("{path}: no status behind the date"))?;
    let is_date = date.len() == 10
        && date.bytes().enumerate().all(|(at, b)| if at == 4 || at == 7 { b == b'-' } else { b.is_ascii_digit() });
    let is_status = status == "in force" || status.starts_with("superseded by ") || status.starts_with("amended by ");
    if !is_date || !is_status {
        return Err(format!("{path}: {state:?} is no date and status"));
    }
    Ok((number, title.to_owned(), date.to_owned(), status.to_owned()))
}

/// `docs/decisions/README.md` from all records.
///
/// # Errors
/// All records whose first lines are not as they should be.
pub fn index(records: &[(String, String)]) -> Result<String, String> {
    let mut page = String::from(
        "# Decisions\n\nWhat was decided, why, and what else was possible: half a page each. A record is never rewritten; a later one \
         supersedes it. Numbers have gaps because several people took ranges at once. This page is generated \
         (`LINCHPIN_BLESS=1 cargo test -p linchpin-tests`).\n\n| | decision | date | status |\n|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for (path, text) in records {
        match heading(path, text) {
            Ok((number, title, date, status)) => {
                let file = path.rsplit('/').next().unwrap_or_default();
                page += &format!("| {number} | [{title}]({file}) | {date} | {status} |\n");
            }
            Err(said) => wrong.push(said),
        }
    }
    if wrong.is_empty() { Ok(page) } else { Err(wrong.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_number_title_date_and_status() {
        let good = "# 7. A title\n\n2026-11-23, in force.\n\n**Decided.** ...";
        assert_eq!(heading("d/0007-a.md", good).expect("good").0, 7);
        assert!(heading("d/0008-a.md", good).expect_err("another number").contains("the title says 7"));
        for bad in ["# 7 A title\n\n2026-11-23, in force.", "# 7. A\n\n**Decided.**", "# 7. A\n\n23.11.2026, in force."]
        {
            assert!(heading("d/0007-a.md", bad).is_err(), "{bad}");
        }
    }
}
