//! Words for what persons have: names, addresses, numbers.

use super::Row;
use crate::discovery::{Country, Kind};

pub(super) const ROWS: &[Row] = &[
    // ---------------------------------------------------------------- electronic mail
    (
        Kind::Email,
        85,
        "email e_mail emails email_address e_mail_address mail_address mailaddress emailadresse \
         email_adresse e_mail_adresse mailadresse adresse_mail adresse_email courriel courriels \
         adresse_courriel correo_electronico correo_e correo dir_email indirizzo_email \
         posta_elettronica pec correio_eletronico endereco_email emailadres e_mailadres mailadres \
         adres_email adres_e_mail poczta epost e_post epostadress epostadresse mejl sahkoposti \
         email_cim eposta e_posta pochta meru meruadoresu dianziyoujian youxiang 邮箱 电子邮件 メール \
         メールアドレス почта электронная_почта",
    ),
    (Kind::Email, 45, "mail mailto recipient_mail"),
    // ---------------------------------------------------------------- telephone
    (
        Kind::Phone,
        85,
        "phone phones phone_number phone_no phone_num phone_nr telephone telephone_number \
         telephone_no tel_number tel_no tel_nr telno phonenumber mobile_number mobile_phone \
         cell_phone cellphone cell_number mobile_no msisdn fax fax_number fax_no faxnumber \
         telefon telefonnummer telefon_nr telefonnr telefax handy handynummer handy_nr \
         mobilnummer mobiltelefon rufnummer festnetz faxnummer telephone_portable num_tel \
         numero_telephone numero_de_telephone telefono numero_telefono numero_de_telefono \
         celular movil telefono_movil cellulare numero_cellulare telefone numero_telefone \
         telemovel telefoonnummer telefoon mobiele_nummer mobielnummer gsm_nummer \
         telefon_komorkowy nr_telefonu numer_telefonu komorka mobilnr telefonnr tlf puhelin \
         puhelinnumero cep_telefonu denwa denwabango keitai dianhua shouji shoujihao 电话 手机 \
         手机号 電話 電話番号 携帯 телефон номер_телефона whatsapp whatsapp_number sms_number \
         daytime_phone home_phone work_phone",
    ),
    (Kind::Phone, 60, "tel mobile mobil cell portable gsm handset landline"),
    // ---------------------------------------------------------------- names
    (
        Kind::PersonName,
        90,
        "first_name firstname last_name lastname given_name givenname family_name familyname \
         surname sur_name forename fore_name middle_name middlename middle_initial maiden_name \
         full_name fullname fname lname mname legal_name birth_name christian_name \
         preferred_name nickname nick_name last_names first_names vorname vornamen nachname \
         familienname zuname geburtsname vor_nachname vor_und_nachname voller_name rufname \
         prenom prenoms nom_de_famille nom_famille nom_complet nom_prenom nom_usage \
         nom_naissance nombres apellido apellidos primer_apellido segundo_apellido \
         apellido_paterno apellido_materno nombre_completo nombre_apellidos cognome nome_cognome \
         nome_completo sobrenome apelido voornaam voornamen achternaam familienaam \
         volledige_naam tussenvoegsel imie imiona nazwisko imie_nazwisko fornamn efternamn \
         fullstandigt_namn fornavn etternavn efternavn etunimi sukunimi krestni jmeno prijmeni \
         keresztnev vezeteknev prenume ad_soyad soyad soyadi imya familiya otchestvo fio shimei \
         seimei namae myoji sei_mei xingming mingzi 姓名 名字 氏名 名前 苗字 имя фамилия \
         отчество фио",
    ),
    (
        Kind::PersonName,
        82,
        "person_name contact_name customer_name client_name employee_name patient_name \
         user_fullname student_name teacher_name guest_name passenger_name driver_name \
         owner_name holder_name card_holder cardholder cardholder_name name_on_card \
         account_holder account_holder_name recipient_name sender_name author_name doctor_name \
         physician_name manager_name emergency_contact next_of_kin member_name subscriber_name \
         tenant_name applicant_name candidate_name beneficiary_name spouse_name mother_name \
         father_name mothers_name mothers_maiden_name mothers_maiden mother_maiden staff_name donor_name insured_name \
         policyholder policy_holder reviewer_name buyer_name seller_name receiver_name \
         payer_name payee_name consignee_name editor_name supervisor_name trainer_name \
         lawyer_name judge_name child_name parent_name artist_real_name player_name agent_name \
         instructor_name ansprechpartner kontoinhaber karteninhaber kundenname mitarbeitername \
         patientenname nom_client nom_du_client nom_contact titulaire nombre_cliente \
         nombre_contacto titular nome_cliente nome_do_cliente intestatario klantnaam naam_klant \
         contactpersoon rekeninghouder kundnamn kontaktperson signed_by signatory witness_name \
         nama_lengkap",
    ),
    (
        Kind::PersonName,
        45,
        "contact recipient author reporter assignee cardholders sender employee customer patient \
         passenger driver physician teacher instructor guardian beneficiary applicant spouse \
         composer actor director player person persona mitarbeiter empfaenger kunde",
    ),
    (
        Kind::UserName,
        70,
        "username user_name login login_name loginname screen_name screenname user_login handle \
         login_id loginid benutzername benutzer_name anmeldename nom_utilisateur identifiant \
         nombre_usuario nombre_de_usuario nome_utente nome_usuario gebruikersnaam \
         nazwa_uzytkownika anvandarnamn brukernavn brugernavn twitter_handle skype skype_name \
         telegram_username",
    ),
    // ---------------------------------------------------------------- where somebody lives
    (
        Kind::PostalAddress,
        80,
        "street street_address streetaddress street_name address_line address_line_1 addr_line \
         line_1 address_1 mailing_address postal_address home_address billing_address \
         shipping_address delivery_address residential_address ship_address bill_address \
         house_number street_number strasse strassenname str hausnummer anschrift \
         wohnort_strasse lieferadresse rechnungsadresse postanschrift adresse_postale rue \
         numero_rue voie adresse_livraison adresse_facturation direccion direccion_envio calle \
         domicilio indirizzo indirizzo_spedizione via_numero endereco morada logradouro rua \
         straat straatnaam huisnummer bezorgadres factuuradres ulica nr_domu adres_zamieszkania \
         gatuadress gata gateadresse vei katuosoite osoite utca lakcim dzhusho jusho dizhi \
         xiangxidizhi 地址 住址 住所 адрес улица",
    ),
    (
        Kind::PostalAddress,
        68,
        "address addresses addr adresse adres adress adresa indirizzi adresses",
    ),
    (Kind::PostalAddress, 40, "apartment apt_number district neighborhood barrio bairro quartier"),
    (
        Kind::PostalCode,
        82,
        "postal_code postalcode post_code postcode zip zip_code zipcode zip_4 plz postleitzahl \
         code_postal codigo_postal cp_postal cep codice_postale cap_code kod_pocztowy postnummer \
         postnr postinumero psc iranyitoszam cod_postal posta_kodu pochtovyi_indeks yubinbango \
         youbian youzhengbianma 邮编 邮政编码 郵便番号 индекс",
    ),
    (Kind::PostalCode, 45, "cap"),
    (
        Kind::City,
        52,
        "city town city_name ville ciudad citta cidade stad woonplaats miasto miejscowosc kaupunki \
         wohnort ort stadt localidad municipality comune commune locality postort poststed mesto \
         hometown home_town birth_city shi chengshi 城市 市区町村 город",
    ),
    // ---------------------------------------------------------------- when somebody was born
    (
        Kind::BirthDate,
        90,
        "birth_date birthdate date_of_birth dob birthday birth_day born born_on born_at date_birth \
         geburtsdatum geburtstag geb_datum gebdatum geb_dat date_naissance date_de_naissance \
         naissance ne_le fecha_nacimiento fecha_de_nacimiento fec_nac nacimiento data_nascita \
         data_di_nascita nascita data_nascimento data_de_nascimento nascimento dt_nascimento \
         geboortedatum geboorte_datum data_urodzenia urodzenia fodelsedatum fodelsedag fodselsdato \
         fodselsdag syntymaaika syntymapaiva datum_narozeni narozeni szuletesi_datum szuletes \
         data_nasterii dogum_tarihi data_rozhdeniya seinengappi tanjobi chushengriqi shengri \
         出生日期 生日 生年月日 誕生日 дата_рождения",
    ),
    (Kind::BirthDate, 60, "birth_year year_of_birth geburtsjahr annee_naissance yob"),
    // ---------------------------------------------------------------- numbers of states
    (
        Kind::NationalId(None),
        85,
        "national_id national_identity national_number national_identifier national_insurance \
         nationalid identity_number identity_card id_card_number id_card_no id_number idcard \
         personal_id_number personal_number personal_code citizen_id citizen_number resident_id \
         government_id govt_id social_security social_security_number social_insurance_number \
         social_insurance tax_identification_number tax_payer_id taxpayer_id tax_file_number \
         passport passport_number passport_no passport_num driver_license driver_licence \
         drivers_license driving_license driving_licence drivers_licence driver_license_number \
         license_number_driver dl_number dl_no voter_id visa_number personalausweis \
         ausweisnummer personalausweisnummer reisepass reisepassnummer sozialversicherungsnummer \
         svnr steuer_id steueridentifikationsnummer steuernummer passnummer fuehrerschein \
         fuhrerschein numero_securite_sociale securite_sociale num_secu permis_conduire passeport \
         numero_passeport pasaporte documento_identidad numero_documento cedula cedula_identidad \
         carnet_identidad seguridad_social numero_seguridad_social codice_fiscale codicefiscale \
         carta_identita passaporto patente numero_patente bilhete_identidade cartao_cidadao \
         carteira_identidade passaporte burgerservicenummer rijksregisternummer rijbewijs \
         rijbewijsnummer paspoort paspoortnummer dowod_osobisty numer_dowodu paszport personnummer \
         pass_nummer korkortsnummer fodselsnummer personnr cpr_nummer cpr_nr henkilotunnus hetu \
         rodne_cislo tc_kimlik kimlik_no tc_kimlik_no mainanba kojin_bango shenfenzheng \
         shenfenzhenghao 身份证 身份证号 マイナンバー паспорт инн снилс aadhar",
    ),
    (Kind::NationalId(Some(Country("US"))), 88, "ssn ssn_number soc_sec itin ssn_last"),
    (Kind::NationalId(Some(Country("GB"))), 80, "nino ni_number nhs_number nhs_no"),
    (Kind::NationalId(Some(Country("NL"))), 85, "bsn sofinummer"),
    (Kind::NationalId(Some(Country("PL"))), 85, "pesel"),
    (
        Kind::NationalId(Some(Country("BR"))),
        80,
        "cpf pis_pasep ctps carteira_trabalho carteira_de_trabalho titulo_eleitor \
         titulo_de_eleitor",
    ),
    (Kind::NationalId(Some(Country("ES"))), 75, "dni nie dni_nie"),
    (Kind::NationalId(Some(Country("MX"))), 80, "curp rfc_persona"),
    (Kind::NationalId(Some(Country("CL"))), 55, "rut"),
    (Kind::NationalId(Some(Country("AR"))), 75, "cuil"),
    (Kind::NationalId(Some(Country("IN"))), 85, "aadhaar aadhaar_number pan_number pan_no"),
    (Kind::NationalId(Some(Country("KR"))), 75, "rrn jumin jumin_number"),
    (Kind::NationalId(Some(Country("SG"))), 85, "nric"),
    (Kind::NationalId(Some(Country("DK"))), 60, "cpr"),
    (Kind::NationalId(Some(Country("CH"))), 80, "ahv ahv_nummer ahv_nr"),
    (Kind::NationalId(Some(Country("CA"))), 55, "sin_number"),
    (Kind::NationalId(Some(Country("AU"))), 75, "tfn medicare_number"),
    (Kind::NationalId(Some(Country("ZA"))), 75, "sa_id rsa_id"),
    (Kind::NationalId(Some(Country("RO"))), 80, "cnp"),
    (Kind::NationalId(Some(Country("BG"))), 80, "egn"),
    (Kind::NationalId(Some(Country("HR"))), 70, "oib"),
    (Kind::NationalId(Some(Country("RS"))), 80, "jmbg"),
    (Kind::NationalId(Some(Country("PT"))), 60, "nif"),
    (Kind::NationalId(Some(Country("FR"))), 70, "nir insee_number"),
    (Kind::NationalId(Some(Country("IE"))), 75, "ppsn pps_number"),
    // ---------------------------------------------------------------- what is nobody's business
    (
        Kind::Gender,
        72,
        "gender sex geschlecht sexe sexo genero genere sesso geslacht plec kon kjonn kon_kod \
         sukupuoli pohlavi nem_kod cinsiyet pol xingbie seibetsu 性别 性別 пол gender_code",
    ),
    (
        Kind::SpecialCategory,
        80,
        "religion religious_affiliation religious ethnicity ethnic_group ethnic race racial \
         sexual_orientation sexuality political_party political_opinion political_affiliation \
         trade_union union_member criminal_record conviction convictions konfession \
         religionszugehoerigkeit ethnie gewerkschaft orientation_sexuelle religione etnia raza \
         religiao religie wyznanie trosbekendelse vorstrafen",
    ),
    (
        Kind::SpecialCategory,
        62,
        "nationality citizenship marital_status civil_status maritalstatus familienstand \
         staatsangehoerigkeit nationalite situation_familiale etat_civil nacionalidad estado_civil \
         nazionalita stato_civile nacionalidade nationaliteit burgerlijke_staat obywatelstwo \
         narodowosc stan_cywilny medborgarskap civilstand place_of_birth birth_place birthplace \
         geburtsort lieu_naissance lugar_nacimiento luogo_nascita",
    ),
    (
        Kind::Health,
        82,
        "diagnosis diagnoses diagnosis_code icd icd_10 icd_9 icd_code icd10 blood_type \
         blood_group medical_history medical_record medical_record_number mrn medication \
         medications prescription allergies allergy disability disabilities medical_condition \
         health_condition health_status symptoms disease diseases illness vaccination \
         vaccinations immunization lab_result lab_results treatment_plan hiv_status pregnancy \
         pregnant bmi blood_pressure health_insurance_number health_insurance insurance_number \
         patient_notes diagnose diagnosen blutgruppe krankheit allergien krankenkasse \
         behinderung medikament medikamente krankenversicherungsnummer versichertennummer \
         diagnostic groupe_sanguin maladie antecedents_medicaux handicap diagnostico \
         grupo_sanguineo enfermedad alergias discapacidad diagnosi gruppo_sanguigno malattia \
         allergie tipo_sanguineo doenca bloedgroep ziekte rozpoznanie grupa_krwi choroba diagnos \
         blodgrupp sjukdom farmaco farmaci medicament medicaments medicamento medicamentos \
         medicijn medicijnen arzneimittel lakemedel legemiddel laegemiddel leki terapia vacuna \
         vaccin vaccino vacina impfung",
    ),
    (
        Kind::Pay,
        80,
        "salary salaries wage wages base_salary annual_salary monthly_salary hourly_rate \
         pay_rate payrate compensation annual_income income yearly_income household_income \
         net_pay gross_pay bonus_amount gehalt grundgehalt monatsgehalt jahresgehalt lohn \
         einkommen salaire revenu_annuel salario sueldo nomina ingresos stipendio reddito \
         ordenado renda salaris loon inkomen wynagrodzenie pensja zarobki lon inkomst palkka \
         plat mzda",
    ),
];
