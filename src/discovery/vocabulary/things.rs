//! Words for what machines and banks give to persons, and for texts.

use super::Row;
use crate::discovery::Kind;

pub(super) const ROWS: &[Row] = &[
    // ---------------------------------------------------------------- money
    (
        Kind::PaymentCard,
        85,
        "card_number card_no card_num cardnumber cardno credit_card credit_card_number creditcard \
         creditcardnumber cc_number cc_no cc_num ccnumber ccn debit_card debit_card_number \
         payment_card pan_full primary_account_number kartennummer kreditkarte kreditkartennummer \
         karten_nr numero_carte carte_bancaire carte_credit carte_bleue numero_tarjeta \
         tarjeta_credito tarjeta numero_carta carta_credito carta_di_credito numero_cartao \
         cartao_credito creditcardnummer kaartnummer numer_karty karta_kredytowa kortnummer \
         kreditkort kortnr",
    ),
    (Kind::Iban, 90, "iban iban_number iban_code iban_nr bank_iban"),
    (Kind::Bic, 72, "bic swift swift_code bic_code swiftcode bic_swift swift_bic bankleitzahl_bic"),
    (
        Kind::BankAccount,
        80,
        "bank_account bank_account_number bank_account_no account_number_bank bankaccount \
         acct_no bank_acct sort_code routing_number aba_number aba_routing routing_no \
         bank_routing clabe bankverbindung kontonummer konto_nr kontonr bankleitzahl blz \
         compte_bancaire numero_compte rib cuenta_bancaria numero_cuenta numero_de_cuenta \
         conto_corrente numero_conto conta_bancaria numero_conta rekeningnummer bankrekening \
         numer_konta rachunek_bankowy bankkonto bankgiro plusgiro tilinumero cislo_uctu \
         bankszamlaszam ccc_cuenta",
    ),
    (Kind::BankAccount, 62, "account_number account_no account_num acct_number account_nr"),
    // ---------------------------------------------------------------- networks and devices
    (
        Kind::IpAddress,
        85,
        "ip ip_address ipaddress ip_addr ipaddr ipv_4 ipv_6 ip_v_4 ip_v_6 remote_addr remote_ip \
         client_ip client_addr source_ip src_ip dst_ip host_ip last_ip login_ip user_ip \
         remote_address ip_adresse ipadresse adresse_ip direccion_ip indirizzo_ip endereco_ip \
         ip_adres adres_ip ip_adress last_login_ip current_sign_in_ip last_sign_in_ip \
         signup_ip inet_addr x_forwarded_for",
    ),
    (
        Kind::MacAddress,
        85,
        "mac mac_address macaddress mac_addr macaddr hw_address hwaddr bssid \
         ethernet_address mac_adresse adresse_mac",
    ),
    (
        Kind::DeviceId,
        72,
        "imei imei_number imsi iccid device_id deviceid device_identifier idfa gaid aaid udid \
         android_id advertising_id serial_imei device_serial push_token device_token \
         fingerprint_id license_plate number_plate plate_number vehicle_registration \
         registration_plate vin kennzeichen kfz_kennzeichen fahrgestellnummer immatriculation \
         matricula targa kenteken nr_rejestracyjny",
    ),
    // ---------------------------------------------------------------- pages and places
    (
        Kind::UrlWithIdentifier,
        50,
        "profile_url profile_link linkedin linkedin_url facebook facebook_url twitter \
         twitter_url instagram github_url personal_website personal_url avatar avatar_url \
         photo_url picture_url facebook_id linkedin_id reset_url confirmation_url \
         unsubscribe_url invite_url",
    ),
    (
        Kind::Coordinates,
        78,
        "latitude longitude lat lng lon lat_lng latlng lat_lon latlon geo_lat geo_lng geo_lon \
         gps gps_coordinates gps_lat gps_lon gps_position geolocation geo_location coordinates \
         coords geo_point lat_long breitengrad laengengrad langengrad latitud longitud latitudine \
         longitudine szerokosc dlugosc breddgrad langdgrad",
    ),
    (
        Kind::Coordinates,
        45,
        "location position geo geom coordinate long last_location home_location",
    ),
    // ---------------------------------------------------------------- secrets
    (
        Kind::Secret,
        88,
        "password passwd pwd pass_word passcode pass_hash password_hash passwordhash \
         password_digest hashed_password encrypted_password pass_phrase passphrase secret \
         secret_key client_secret api_key apikey api_secret api_token access_token accesstoken \
         refresh_token refreshtoken auth_token authtoken authentication_token bearer_token \
         private_key privatekey secret_token session_token sessiontoken csrf_token reset_token \
         reset_password_token password_reset_token confirmation_token remember_token \
         verification_token otp_secret totp_secret mfa_secret two_factor_secret recovery_codes \
         recovery_code backup_codes pin pin_code pincode cvv cvc cvv_2 cvc_2 security_code \
         card_code salt password_salt credential credentials passwort kennwort geheimnis \
         mot_de_passe motdepasse mdp contrasena clave clave_acceso password_utente parola_chiave \
         senha palavra_passe wachtwoord haslo losenord passord adgangskode salasana heslo jelszo \
         parola sifre parol pasuwado mima 密码 パスワード пароль security_answer secret_answer \
         security_question_answer authentication_string ssh_key signing_key encryption_key \
         webhook_secret oauth_token id_token jwt",
    ),
    (Kind::Secret, 45, "token session_id sessionid session_key security_stamp nonce pass"),
    // ---------------------------------------------------------------- texts
    (
        Kind::FreeText,
        58,
        "notes note remarks remark comment comments message_body message_text chat_message \
         feedback biography bio about_me self_description free_text freetext internal_notes \
         customer_notes staff_notes case_notes complaint inquiry anmerkung anmerkungen bemerkung \
         bemerkungen notiz notizen kommentar kommentare nachricht remarque remarques commentaire \
         commentaires observaciones comentario comentarios nota notas note_interne osservazioni \
         commento commenti observacoes opmerking opmerkingen notitie uwagi komentarz anteckning \
         anteckningar merknad huomautus poznamka megjegyzes zametki bikou beizhu 备注 備考 примечание \
         комментарий",
    ),
    (
        Kind::FreeText,
        42,
        "message body text content memo transcript cover_letter resume cv \
         description_of_incident chat reply answer review_text",
    ),
];
