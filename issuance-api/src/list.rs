//! Lists: `{items, next}`, asked for page by page with `after` and `limit`.

use serde::Serialize;
use store::Page;

use crate::problem::Problem;

const LIMIT: usize = 50;
const LIMIT_MAX: usize = 200;

/// A page of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct List<T> {
    /// In the order of the list.
    pub(crate) items: Vec<T>,
    /// What to ask for as `after` to get the next page; null on the last.
    pub(crate) next: Option<String>,
}

impl<T> From<Page<T>> for List<T> {
    fn from(page: Page<T>) -> Self {
        Self { items: page.items, next: page.next }
    }
}

/// How many items are asked for: 50 if nobody says, never more than 200.
///
/// # Errors
/// 422 at `/limit` for what is no number.
pub(crate) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(LIMIT) };
    let limit: usize = text.parse().map_err(|_| Problem::field("/limit", "wrong-type"))?;
    Ok(limit.clamp(1, LIMIT_MAX))
}

/// The key of the last item seen.
///
/// # Errors
/// 422 at `/after` for what was never a `next`.
pub(crate) fn after<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse().map_err(|_| Problem::field("/after", "wrong-type"))).transpose()
}

/// The moment and the name of the last item seen, of a list in the order of both.
///
/// # Errors
/// 422 at `/after` for what was never a `next`.
pub(crate) fn after_moment(text: Option<&str>) -> Result<Option<(i64, String)>, Problem> {
    let named = |id: &str| !id.contains(char::is_control);
    let read = |text: &str| {
        let (at, id) = text.split_once('.').filter(|(_, id)| named(id))?;
        Some((at.parse().ok()?, id.to_owned()))
    };
    text.map(|text| read(text).ok_or_else(|| Problem::field("/after", "wrong-type"))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_at_most_two_hundred_items() {
        assert_eq!(limit(None), Ok(50));
        assert_eq!(limit(Some("7")), Ok(7));
        assert_eq!(limit(Some("1000")), Ok(200));
        assert_eq!(limit(Some("0")), Ok(1));
        for wrong in ["", "-1", "x", "1.5"] {
            assert_eq!(limit(Some(wrong)), Err(Problem::field("/limit", "wrong-type")));
        }
    }
}
