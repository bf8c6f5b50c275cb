//! How words of a name belong together: `email_count` is a count, `phone_model` a model.

use crate::discovery::Kind;

/// As the last word, each of these says that the column holds something else about the thing: a
/// count, a time, a state, a reference.
const HEADS: &str = "id ids uuid guid key fk pk ref count counts cnt total sum avg average type \
    types kind flag flags status state verified confirmed valid validated validation enabled \
    disabled active required optional allowed opt optin optout subscribed sent received opened \
    bounced at on date time datetime timestamp ts expires expiry expiration expire updated \
    created changed deleted modified last first_seen index idx order position rank level version \
    format template subject provider domain length len size width height color colour model \
    brand make manufacturer os platform label category group class role source method mode \
    reason policy strength hint attempts attempt retries score rating url uri link path file \
    filename icon image img picture photo logo limit max min threshold interval frequency \
    percentage percent pct ratio rate amount fee cost price currency code_type prefix suffix \
    extension ext country city_id typ art anzahl datum kennung tipo estado fecha numero_de_veces \
    compteur nombre_de conteo aantal liczba antal preference preferences settings setting config \
    visible visibility hidden public private changed_at confirmed_at verified_at sent_at \
    notification notifications alerts consent language lang locale timezone queue server host \
    port protocol client app application usage quota plan holder bank issuer network brand_name \
    title position salutation schema table column field attribute regex pattern mask algorithm \
    algo iterations created_at updated_at checksum hash_type history_id batch job task event \
    step stage line_count line_id";

/// As the first word: `is_email_verified`, `num_phones`, `has_address`.
const OPENERS: &str = "is has had can should was did does num nb nbr nr_of number_of count cnt \
    total total_of max min avg sum allow allows enable enabled require requires need needs use \
    uses show hide send sent last_changed skip ignore type tipo typ anzahl aantal liczba antal \
    nombre_de default";

/// Things that have names and addresses and are no persons.
const THINGS: &str = "product products item items article articles sku brand brands category \
    categories genre genres country countries region regions state states province city cities \
    town language languages currency currencies department departments dept company companies \
    firm organization organisation organizations org orgs corporation business store stores shop \
    shops warehouse branch office building room rooms site sites location locations place places \
    playlist playlists album albums track tracks song songs artist artists band film films movie \
    movies title titles book books series episode media mediatype file files folder directory \
    document documents table tables column columns schema database db host hosts hostname server \
    servers domain service services application app apps module modules package packages plugin \
    project projects task tasks job jobs role roles permission permissions group groups team \
    teams tag tags label labels type types status statuses event events campaign campaigns \
    channel channels list lists menu page pages post posts course courses class classes subject \
    school university hospital hotel restaurant airport airline flight ship vessel vehicle car \
    cars model models device devices machine part parts component material color colour size \
    shape unit units metric metrics sensor setting settings config option options feature \
    features plan plans tier discount coupon promotion shipper shippers supplier suppliers \
    vendor vendors manufacturer territory territories river mountain lake sea island desert \
    continent planet species breed animal pet pets plant drug medicine disease ingredient recipe \
    dish food drink game games league club stadium sport migration migrations queue topic \
    template templates theme version branch_name field fields attribute attributes property key \
    bank banks insurance agency produkt produkte artikel firma firmen unternehmen land laender \
    stadt abteilung kategorie projekt produit produits entreprise societe pays ville categorie \
    magasin producto productos empresa empresas pais paises ciudad tienda prodotto prodotti \
    azienda azienda paese negozio produto produtos loja bedrijf bedrijven land winkel firmy kraj \
    sklep produkty foretag land butik virksomhed yritys";

/// Tables of persons.
const PERSONS: &str = "person persons people individual individuals customer customers client \
    clients user users account accounts member members employee employees staff worker workers \
    contact contacts patient patients student students pupil pupils teacher teachers professor \
    doctor doctors nurse guest guests passenger passengers driver drivers owner owners tenant \
    tenants author authors actor actors director directors player players athlete subscriber \
    subscribers applicant applicants candidate candidates visitor visitors donor donors \
    volunteer beneficiary lead leads prospect agent agents manager managers resident citizen \
    citizens voter family relative dependent dependents spouse child children parent guardian \
    profile profiles personnel hr payroll salesperson salesman recipient recipients participant \
    participants attendee attendees speaker speakers politician composer composers reviewer \
    reviewers buyer buyers seller sellers sender receiver payer payee consignee cashier \
    supervisor trainer coach crew instructor judge lawyer witness suspect victim prisoner \
    soldier person_details kunde kunden mitarbeiter benutzer personen mitglied mitglieder \
    patienten schueler lehrer fahrer bewerber personne personnes utilisateur utilisateurs \
    employe employes salarie adherent eleve personas cliente clientes usuario usuarios empleado \
    empleados paciente alumno alumnos estudiante persone clienti utente utenti dipendente \
    dipendenti studenti pazienti pessoa pessoas usuarios funcionario funcionarios aluno klant \
    klanten gebruiker gebruikers medewerker medewerkers personeel werknemer werknemers klient \
    klienci uzytkownik uzytkownicy pracownik pracownicy osoba osoby kund kunder anvandare \
    anstalld person medlem medlemmar bruker ansatt kunde medarbejder henkilo asiakas kokyaku \
    shain yonghu yuangong kehu polzovatel klienty sotrudnik";

/// Words for a name alone.
const NAMES: &str = "name names nom nombre nome naam nazwa namn navn nimi imie jmeno nev nume ad";

/// What a table or the rest of a name is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::discovery) enum Topic {
    Person,
    Thing,
    Unknown,
}

fn among(word: &str, list: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Every word that is listed here.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    [HEADS, OPENERS, THINGS, PERSONS, NAMES]
        .into_iter()
        .flat_map(str::split_ascii_whitespace)
        .flat_map(|phrase| phrase.split('_'))
        .filter(|word| word.len() > 1)
}

pub(in crate::discovery) fn is_name_word(word: &str) -> bool {
    among(word, NAMES)
}

/// What words are about; the last that is known decides, as in `customer_types` and
/// `product_owners`.
pub(in crate::discovery) fn topic(words: &[String]) -> Topic {
    for word in words.iter().rev() {
        match (among(word, PERSONS), among(word, THINGS)) {
            (true, _) => return Topic::Person,
            (false, true) => return Topic::Thing,
            (false, false) => {}
        }
    }
    Topic::Unknown
}

/// How much a phrase at a place of a name counts, from 0 to 1.
pub(super) fn standing(words: &[String], start: usize, end: usize, kind: Kind) -> f64 {
    let mut factor = 1.0;
    let behind = &words[end..];
    let listed = |word: &&String| !is_number(word) && among(word, HEADS);
    if behind.iter().filter(listed).any(|head| !belongs(kind, head)) {
        factor *= 0.12;
    }
    if start > 0 && among(&words[0], OPENERS) && !(words[0] == "last" || kind == Kind::Pay) {
        factor *= 0.12;
    }
    // `company_name`, `product_address`: the words around say whose it is.
    // `last_login` is a time.
    if kind == Kind::UserName && start > 0 && matches!(&*words[start - 1], "last" | "first") {
        factor *= 0.12;
    }
    if kind == Kind::UserName && behind.first().is_some_and(|word| word == "id") {
        factor *= 0.5;
    }
    factor
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Heads that do not turn a phrase into something else.
fn belongs(kind: Kind, head: &str) -> bool {
    match kind {
        Kind::BirthDate => {
            matches!(head, "date" | "datum" | "at" | "on" | "time" | "day" | "fecha")
        }
        Kind::Secret => matches!(head, "key" | "hash" | "hint" | "history" | "url" | "private"),
        Kind::PersonName => matches!(head, "first" | "last" | "label" | "prefix" | "suffix"),
        Kind::PaymentCard | Kind::Iban | Kind::BankAccount | Kind::Bic => {
            matches!(head, "holder" | "bank")
        }
        Kind::UrlWithIdentifier => matches!(head, "url" | "uri" | "link" | "photo" | "image"),
        Kind::Pay => matches!(head, "amount" | "total" | "rate"),
        Kind::IpAddress => matches!(head, "host" | "client" | "server" | "source"),
        Kind::PostalAddress | Kind::PostalCode | Kind::City => {
            matches!(head, "public" | "private" | "line" | "ext")
        }
        Kind::Email | Kind::Phone | Kind::FreeText | Kind::Health => {
            matches!(head, "private" | "public" | "ext" | "history")
        }
        // The identifier of an identity number is the number.
        Kind::NationalId(_) => matches!(head, "id" | "code" | "ref"),
        Kind::UserName
        | Kind::MacAddress
        | Kind::DeviceId
        | Kind::Coordinates
        | Kind::SpecialCategory
        | Kind::Gender => false,
    }
}
