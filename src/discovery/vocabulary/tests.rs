use super::*;

fn best(name: &str) -> Option<(Kind, u8)> {
    hints(&tokens(name))
        .into_iter()
        .max_by_key(|hint| hint.strength)
        .map(|hint| (hint.kind, hint.strength))
}

#[test]
fn names_of_columns_in_several_languages() {
    for (kind, names) in [
        (
            Kind::Email,
            "email e_mail EmailAddress customerEmail contact_email emailadresse courriel \
             correo_electronico useremail EMAIL_1 work_email メールアドレス email_addr",
        ),
        (
            Kind::Phone,
            "phone phone_number PhoneNumber homephone mobile_phone telefonnummer tel_nr telefono \
             celular numero_telefone telefoonnummer cell_phone fax contactPhone 電話番号 телефон",
        ),
        (
            Kind::PersonName,
            "first_name LastName firstname surname vorname nachname prenom nom_de_famille \
             apellidos cognome sobrenome voornaam achternaam imie nazwisko fornamn etternavn \
             contact_name customer_name cardholder_name 姓名 фамилия middle_initial full_name \
             author_name",
        ),
        (
            Kind::BirthDate,
            "dob birth_date birthday date_of_birth geburtsdatum date_naissance fecha_nacimiento \
             data_di_nascita data_nascimento geboortedatum data_urodzenia fodelsedatum BirthDate \
             生年月日 дата_рождения",
        ),
        (
            Kind::PostalAddress,
            "address address2 street street_address billing_address shippingAddress strasse \
             direccion indirizzo logradouro straatnaam ulica addr_line_1 ship_address \
             BillingAddress",
        ),
        (Kind::PostalCode, "zip zip_code postal_code plz code_postal cep kod_pocztowy postcode"),
        (Kind::City, "city billing_city ville ciudad citta wohnort"),
        (
            Kind::PaymentCard,
            "card_number credit_card cc_number CreditCardNumber kreditkartennummer",
        ),
        (Kind::Iban, "iban customer_iban"),
        (Kind::BankAccount, "bank_account kontonummer account_number sort_code routing_number"),
        (Kind::IpAddress, "ip ip_address last_login_ip remote_addr ClientIP user_ip_address"),
        (
            Kind::Secret,
            "password password_hash api_key accessToken mot_de_passe passwort senha salt",
        ),
        (Kind::Gender, "gender sex geschlecht sexe"),
        (Kind::Health, "diagnosis blood_type icd_10 blutgruppe allergies"),
        (Kind::Pay, "salary base_salary gehalt salaire"),
        (Kind::Coordinates, "latitude longitude lat lng geo_lat"),
    ] {
        for name in names.split_ascii_whitespace() {
            let found = best(name).filter(|(_, strength)| *strength >= 50);
            assert_eq!(found.map(|(kind, _)| kind), Some(kind), "{name}");
        }
    }
    for name in ["national_id", "passport_number", "personnummer", "numero_securite_sociale"] {
        assert_eq!(best(name).map(|(kind, _)| kind), Some(Kind::NationalId(None)), "{name}");
    }
}

#[test]
fn heads_and_openers_turn_a_word_into_something_else() {
    for name in [
        "email_count",
        "email_verified",
        "email_verified_at",
        "is_phone_verified",
        "phone_type",
        "address_id",
        "phone_model",
        "num_phones",
        "has_email",
        "email_template",
        "password_changed_at",
        "ip_version",
        "address_type",
        "email_sent_at",
        "gender_id",
        "password_strength",
        "city_id",
        "phone_country_code",
        "email_subject",
        "token_type",
        "emailOptIn",
        "last_email_sent_at",
        "last_login",
    ] {
        let found = best(name).filter(|(_, strength)| *strength >= 30);
        assert_eq!(found, None, "{name}");
    }
}

#[test]
fn a_longer_phrase_hides_the_shorter_ones_in_it() {
    let kinds = |name| hints(&tokens(name)).iter().map(|hint| hint.kind).collect::<Vec<_>>();
    assert_eq!(kinds("ip_address"), [Kind::IpAddress]);
    assert_eq!(kinds("email_address"), [Kind::Email]);
    assert_eq!(kinds("mac_address"), [Kind::MacAddress]);
}

#[test]
fn tables_are_of_persons_or_of_things() {
    for (table, is) in [
        ("customers", Topic::Person),
        ("auth_user", Topic::Person),
        ("Employees", Topic::Person),
        ("kunden", Topic::Person),
        ("product_categories", Topic::Thing),
        ("customer_types", Topic::Thing),
        ("genres", Topic::Thing),
        ("xyzzy", Topic::Unknown),
    ] {
        assert_eq!(topic(&tokens(table)), is, "{table}");
    }
}
