//! What a scan leaves is reviewed in the web console; the patch from there makes the catalog whole.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::keyhole::{Config, HttpAnswer, Keyhole, password};
use crate::support::postgres::Postgres;
use crate::support::wait::until;
use crate::{Bed, EVERYTHING, clean};

const PLACE: &str = "/map/findings";

const CATALOG: &str = "# By hand.\n\n[[class]]\nname = \"email\"\nmask = { kind = \"email\" }\n\n\
                       [[table]]\nname = \"public.people\"\ncolumns = { email = \"email\" }\n";

/// As an operator; with `form`, from a page of ours.
fn ask(proxy: &Keyhole, path: &str, form: Option<&str>) -> HttpAnswer {
    let login = STANDARD.encode(format!("dora:{}", password("dora")));
    let (method, body) = form.map_or(("GET", ""), |form| ("POST", form));
    proxy.http_raw(&format!(
        "{method} {path} HTTP/1.1\r\nHost: keyhole\r\nConnection: close\r\n\
         Authorization: Basic {login}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// Each column that something is chosen of on the page, and what.
fn chosen(page: &str) -> Vec<(String, String)> {
    let columns = page.split("<select name=\"").skip(1).filter_map(|column| {
        let name = column.split('"').next()?;
        let choice = column.split("</select>").next()?.split("\" selected").next()?;
        let value = choice.rsplit_once("<option value=\"")?.1;
        Some((name.to_owned(), value.to_owned()))
    });
    columns.filter(|(_, value)| !value.contains('<')).collect()
}

#[test]
fn what_a_scan_leaves_is_accepted_on_the_page_and_patched_in() {
    let bed = Bed::new(Postgres::shared(), "scan_page", EVERYTHING, CATALOG);
    let config = Config::new().database("shop", bed.server, &bed.name, CATALOG);
    let catalog = "catalog = [\"shop.toml\"]";
    let text = config.text();
    assert!(text.contains(catalog), "{text}");
    let with = text.replace(catalog, &format!("{catalog}\nfindings = \"found/shop.json\""));
    let proxy = Keyhole::start(config.with_text(&with));
    until("it is ready", || (proxy.http("/readyz").0 == 200).then_some(()));
    let page = ask(&proxy, PLACE, None);
    assert!(page.body.contains("No scan has left anything yet"), "{page:?}");

    let file = proxy.config.file();
    let scan = |more: &[&str]| {
        let args = ["scan", "--config", file.to_str().expect("UTF-8")];
        let args: Vec<&str> = args.iter().chain(more).copied().collect();
        crate::run(proxy.config.command(&args), "")
    };
    let left = proxy.config.path().join("found/shop.json");
    let partly = scan(&["--only", "public.people"]);
    assert!(partly.err.contains("stays as it is"), "{partly:?}");
    assert!(!left.exists(), "of a part of the tables, nothing is left");
    let ran = scan(&[]);
    assert!(ran.code == Some(5) && ran.err.contains("for the web console"), "{ran:?}");
    clean(&std::fs::read_to_string(&left).expect("it was left"));

    let page = ask(&proxy, &format!("{PLACE}?preset=proposed"), None);
    assert!(page.body.contains("columns to look at"), "{page:?}");
    clean(&page.body);
    let decisions = chosen(&page.body);
    assert!(decisions.len() > 8, "{decisions:?}");
    let mut form = form_urlencoded::Serializer::new("deed=patch".to_owned());
    let form = form.extend_pairs(&decisions).finish();
    let patch = ask(&proxy, PLACE, Some(&form));
    assert_eq!(patch.status, 200, "{patch:?}");
    clean(&patch.body);

    let mut command = std::process::Command::new("patch");
    command.args(["-p0", "--quiet"]).current_dir(proxy.config.path());
    crate::run(command, &patch.body).ok();
    let text = std::fs::read_to_string(proxy.config.path().join("shop.toml")).expect("readable");
    assert!(text.starts_with("# By hand.") && text.contains("lower_email"), "{text}");
    let args = ["check", "--config", file.to_str().expect("UTF-8")];
    crate::run(proxy.config.command(&args), "").ok();
    let again = scan(&[]);
    assert_eq!(again.code, Some(0), "{again:?}");

    // The running proxy takes it on SIGHUP, and nobody is asked again.
    proxy.signal("HUP");
    until("it is asked no more", || {
        let page = ask(&proxy, &format!("{PLACE}?preset=proposed"), None);
        (page.status == 200 && chosen(&page.body).is_empty()).then_some(())
    });
}

#[test]
fn only_what_a_scan_left_is_replaced_by_a_scan() {
    let bed = Bed::new(Postgres::shared(), "scan_left", EVERYTHING, CATALOG);
    let text = bed.config.text();
    let with = text.replace("catalog = [", "findings = \"notes.txt\"\ncatalog = [");
    bed.config.write_text(&with);
    std::fs::write(bed.path("notes.txt"), "by hand").expect("writable");
    let ran = bed.scan(&[]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("notes.txt is not what a scan leaves"), "{ran:?}");
    assert_eq!(bed.read("notes.txt"), "by hand");
    bed.config.write_text(&text.replace("catalog = [", "findings = \"shop.toml\"\ncatalog = ["));
    let ran = bed.scan(&[]);
    assert!(ran.code == Some(2) && ran.err.contains("that is a file of the catalog"), "{ran:?}");
}
