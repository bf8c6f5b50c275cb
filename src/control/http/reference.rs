//! `/api`: the document of the API as a page to read, made by the server from the document.

use std::fmt::Write as _;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::openapi;
use super::problem::{PROBLEM_KINDS, ProblemKind};

const BEGIN: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><title>Keyhole API</title>\
    <link rel=\"stylesheet\" href=\"/style.css\"></head><body class=\"alone reference\"><main>";

pub(super) async fn show() -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page(&openapi::document()))
        .into_response()
}

fn page(document: &Value) -> String {
    let mut page = BEGIN.to_owned();
    let info = &document["info"];
    heading(&mut page, 1, "", &format!("{} API {}", text(&info["title"]), text(&info["version"])));
    paragraph(&mut page, text(&info["description"]));
    page.push_str(
        "<p>For programs: <a href=\"/api/v1/openapi.json\">openapi.json</a> (OpenAPI 3.1). \
         <a href=\"#schemas\">Types</a>, <a href=\"#problems\">problems</a>.</p>",
    );
    let operations = operations(document);
    page.push_str("<nav aria-label=\"Operations\"><ul>");
    for (method, path, operation) in &operations {
        let (id, said) = (text(&operation["operationId"]), text(&operation["summary"]));
        let _ = write!(
            page,
            "<li><a href=\"#op-{}\"><code>{} {}</code></a> {}</li>",
            escaped(id),
            method.to_ascii_uppercase(),
            escaped(path),
            escaped(said)
        );
    }
    page.push_str("</ul></nav>");
    for (method, path, operation) in operations {
        section(&mut page, method, path, operation);
    }
    heading(&mut page, 2, "schemas", "Types");
    for (name, schema) in members(&document["components"]["schemas"]) {
        heading(&mut page, 3, &format!("type-{name}"), name);
        paragraph(&mut page, text(&schema["description"]));
        fields(&mut page, schema);
    }
    heading(&mut page, 2, "problems", "Problems");
    page.push_str("<dl>");
    for ProblemKind { word, title, about } in PROBLEM_KINDS {
        let _ =
            write!(page, "<dt id=\"{word}\"><code>/api#{word}</code> {title}</dt><dd>{about}</dd>");
    }
    page.push_str("</dl></main></body></html>\n");
    page
}

/// Method, path and what is said of it, path by path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = members(&document["paths"]);
    let each = paths.flat_map(|(path, item)| {
        members(item).map(move |(method, operation)| (method, path, operation))
    });
    each.collect()
}

fn section(page: &mut String, method: &str, path: &str, operation: &Value) {
    let title = format!("{} {path}", method.to_ascii_uppercase());
    page.push_str("<section>");
    heading(page, 2, &format!("op-{}", text(&operation["operationId"])), &title);
    paragraph(page, text(&operation["summary"]));
    paragraph(page, text(&operation["description"]));
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        table(page, &["Parameter", "In", "Type", ""]);
        for one in parameters {
            let kind = kind(&one["schema"]);
            row(
                page,
                [
                    &code(text(&one["name"])),
                    text(&one["in"]),
                    &kind,
                    &escaped(text(&one["description"])),
                ],
            );
        }
        page.push_str("</tbody></table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        let _ = write!(page, "<p>Body: {}</p>", kind(body));
    }
    table(page, &["Answer", "Type", ""]);
    for (status, answer) in members(&operation["responses"]) {
        let content = members(&answer["content"]).next();
        let kind = content.map(|(_, content)| kind(&content["schema"])).unwrap_or_default();
        row(page, [status, &kind, &escaped(text(&answer["description"]))]);
    }
    page.push_str("</tbody></table></section>");
}

fn fields(page: &mut String, schema: &Value) {
    for part in schema["allOf"].as_array().into_iter().flatten() {
        match part["$ref"].as_str() {
            Some(_) => {
                let _ = write!(page, "<p>All of {}, and</p>", kind(part));
            }
            None => fields(page, part),
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<_> = words.iter().map(|word| code(text(word))).collect();
        let _ = write!(page, "<p>{}</p>", words.join(", "));
    }
    if members(&schema["properties"]).next().is_none() {
        return;
    }
    table(page, &["Field", "Type", ""]);
    let needed = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, field) in members(&schema["properties"]) {
        let is_needed = needed.iter().any(|needed| needed == name);
        let mark = if is_needed { "" } else { ", may be absent" };
        let about = escaped(text(&field["description"]));
        row(page, [&code(name), &format!("{}{mark}", kind(field)), &about]);
    }
    page.push_str("</tbody></table>");
}

/// A type in a word or some, as HTML.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next()) {
        return format!("<a href=\"#type-{0}\">{0}</a>", escaped(name));
    }
    for word in ["oneOf", "anyOf", "allOf"] {
        if let Some(some) = schema[word].as_array() {
            return some.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let word = match schema["type"].as_array() {
        Some(words) => words.iter().map(text).collect::<Vec<_>>().join(" or "),
        None => text(&schema["type"]).to_owned(),
    };
    match schema["items"].is_null() {
        true => escaped(&word),
        false => format!("{} of {}", escaped(&word), kind(&schema["items"])),
    }
}

fn heading(page: &mut String, level: u8, id: &str, words: &str) {
    let id = if id.is_empty() { String::new() } else { format!(" id=\"{}\"", escaped(id)) };
    let _ = write!(page, "<h{level}{id}>{}</h{level}>", escaped(words));
}

fn paragraph(page: &mut String, words: &str) {
    if !words.is_empty() {
        let _ = write!(page, "<p>{}</p>", escaped(words));
    }
}

fn table(page: &mut String, titles: &[&str]) {
    page.push_str("<table><thead><tr>");
    for title in titles {
        let _ = write!(page, "<th scope=\"col\">{title}</th>");
    }
    page.push_str("</tr></thead><tbody>");
}

/// Cells are HTML.
fn row<const N: usize>(page: &mut String, cells: [&str; N]) {
    page.push_str("<tr>");
    for cell in cells {
        let _ = write!(page, "<td>{cell}</td>");
    }
    page.push_str("</tr>");
}

fn code(words: &str) -> String {
    format!("<code>{}</code>", escaped(words))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn escaped(words: &str) -> String {
    let mut html = String::with_capacity(words.len());
    for one in words.chars() {
        match one {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            one => html.push(one),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_and_type_is_on_the_page_and_links_lead_somewhere() {
        let document = openapi::document();
        let page = page(&document);
        for (method, path, _) in operations(&document) {
            assert!(
                page.contains(&format!("{} {path}</h2>", method.to_ascii_uppercase())),
                "{path}"
            );
        }
        for (name, _) in members(&document["components"]["schemas"]) {
            assert!(page.contains(&format!("id=\"type-{name}\"")), "{name}");
        }
        for link in page.split("href=\"#").skip(1) {
            let to = link.split('"').next().unwrap();
            assert!(page.contains(&format!("id=\"{to}\"")), "{to}");
        }
        for outside in ["http:", "https:", "<script", "style="] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn words_are_no_html() {
        assert_eq!(escaped("<b a=\"x\">&"), "&lt;b a=&quot;x&quot;&gt;&amp;");
    }
}
