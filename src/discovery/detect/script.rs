//! Names and addresses in other scripts than Latin: surnames that most people of a country share,
//! endings, and words of places.

use super::{Hits, Signal};

/// The most common Chinese surnames, simplified and traditional.
const CHINESE: &str = "\
    王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮于董萧\
    蕭程曹袁邓鄧许許傅沈曾彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎閻余潘杜戴夏钟鍾汪田任姜范方石\
    姚谭譚廖邹鄒熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟龙龍万萬段雷钱錢汤湯尹黎易常武乔喬贺賀\
    赖賴龚龔文";

/// The most common Japanese surnames.
const JAPANESE: &[&str] = &[
    "佐藤",
    "鈴木",
    "高橋",
    "田中",
    "伊藤",
    "渡辺",
    "渡邊",
    "山本",
    "中村",
    "小林",
    "加藤",
    "吉田",
    "山田",
    "佐々木",
    "山口",
    "松本",
    "井上",
    "木村",
    "林",
    "斎藤",
    "斉藤",
    "清水",
    "山崎",
    "森",
    "池田",
    "橋本",
    "阿部",
    "石川",
    "山下",
    "中島",
    "石井",
    "小川",
    "前田",
    "岡田",
    "長谷川",
    "藤田",
    "後藤",
    "近藤",
    "村上",
    "遠藤",
    "青木",
    "坂本",
    "福田",
    "太田",
    "西村",
    "藤井",
    "金子",
    "岡本",
    "藤原",
    "中野",
    "三浦",
    "原田",
    "中川",
    "松田",
    "竹内",
    "小野",
    "田村",
    "中山",
    "和田",
    "石田",
    "森田",
    "上田",
    "原",
    "内田",
    "柴田",
    "酒井",
];

/// The most common Korean surnames.
const KOREAN: &str =
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구";

/// Endings of surnames and patronymics in Cyrillic.
const CYRILLIC: &[&str] = &[
    "ов", "ова", "ев", "ева", "ёв", "ёва", "ин", "ина", "ын", "ына", "ский", "ская", "цкий",
    "цкая", "енко", "чук", "юк", "ович", "овна", "евич", "евна", "ична", "ич", "ко", "як", "ко",
];

/// Of patronymics alone.
const PATRONYMIC: &[&str] = &["ович", "евич", "овна", "евна", "ична", "ьич"];

const CYRILLIC_FIRST: &[&str] = &[
    "александр",
    "александра",
    "сергей",
    "дмитрий",
    "андрей",
    "алексей",
    "максим",
    "иван",
    "евгений",
    "евгения",
    "михаил",
    "владимир",
    "владислав",
    "николай",
    "артем",
    "артём",
    "илья",
    "никита",
    "роман",
    "павел",
    "виктор",
    "виктория",
    "игорь",
    "юрий",
    "олег",
    "антон",
    "денис",
    "кирилл",
    "егор",
    "тимофей",
    "федор",
    "фёдор",
    "филипп",
    "ярослав",
    "станислав",
    "вячеслав",
    "геннадий",
    "борис",
    "леонид",
    "валерий",
    "анатолий",
    "константин",
    "степан",
    "семен",
    "семён",
    "георгий",
    "петр",
    "пётр",
    "василий",
    "григорий",
    "вадим",
    "руслан",
    "тимур",
    "анна",
    "мария",
    "елена",
    "ольга",
    "наталья",
    "наталия",
    "екатерина",
    "татьяна",
    "ирина",
    "светлана",
    "анастасия",
    "юлия",
    "людмила",
    "галина",
    "марина",
    "дарья",
    "надежда",
    "валентина",
    "вероника",
    "полина",
    "ксения",
    "алина",
    "алла",
    "лариса",
    "любовь",
    "тамара",
    "зоя",
    "раиса",
    "кристина",
    "яна",
    "вера",
    "нина",
    "софия",
    "софья",
    "оксана",
    "лидия",
    "евдокия",
    "маргарита",
    "елизавета",
    "варвара",
    "олександр",
    "тарас",
    "богдан",
    "ярослава",
    "андрій",
    "сергій",
    "олена",
    "ірина",
    "микола",
    "володимир",
    "дмитро",
    "наталія",
    "юлія",
    "іван",
];

/// Before the name of a street, in Cyrillic.
const CYRILLIC_STREETS: &[&str] = &[
    "ул",
    "улица",
    "пр",
    "просп",
    "проспект",
    "пер",
    "переулок",
    "наб",
    "набережная",
    "бул",
    "бульвар",
    "алл",
    "аллея",
    "шоссе",
    "пл",
    "площадь",
    "вул",
    "вулиця",
    "проезд",
];

/// Parts of addresses, in Chinese and Japanese: of provinces down to houses.
const HAN_PLACES: &str = "省市区區县縣都道府県郡町村路街号號巷弄丁番座室楼";
/// The same at the ends of Korean words.
const HANGUL_PLACES: &str = "시도군구읍면동로길가리";

/// Whether a value with digits is an address in one of these scripts.
pub(super) fn is_address(text: &str) -> bool {
    let han = text.chars().filter(|c| HAN_PLACES.contains(*c)).count();
    if han >= 3 {
        return true;
    }
    let mut hangul = 0;
    for word in text.split([' ', ',', '(', ')']) {
        let mut letters = word.trim_end_matches('.').chars();
        let last = letters.next_back();
        let korean = last.is_some_and(|last| HANGUL_PLACES.contains(last));
        hangul += usize::from(korean && letters.next().is_some());
        let cyrillic = word.chars().next().is_some_and(|first| ('а'..='я').contains(&first));
        if cyrillic && CYRILLIC_STREETS.contains(&word.trim_end_matches('.')) {
            return true;
        }
    }
    hangul >= 3
}

/// Whether the value is in one of these scripts; if it is a name, that is told.
pub(super) fn look(text: &str, hits: &mut Hits) -> bool {
    let Some(first) = text.chars().next() else { return false };
    match first {
        'а'..='я' | 'А'..='Я' | 'ё' | 'Ё' | 'І' | 'і' | 'Є' | 'Ї' => cyrillic(text, hits),
        '\u{4e00}'..='\u{9fff}' => han(text, first, hits),
        '\u{ac00}'..='\u{d7af}' => {
            let count = text.chars().filter(|c| !c.is_whitespace()).count();
            hits.tell_if(Signal::FullName, (2..=4).contains(&count) && KOREAN.contains(first));
        }
        _ => return false,
    }
    hits.tell_if(Signal::KnownSurname, hits.has(Signal::FullName));
    true
}

fn cyrillic(text: &str, hits: &mut Hits) {
    let (mut words, mut family, mut given, mut patronymics) = (0, 0, 0, 0);
    for word in text.split_whitespace() {
        if !word.starts_with(char::is_uppercase) || !word.chars().all(char::is_alphabetic) {
            return;
        }
        let word = word.to_lowercase();
        words += 1;
        if CYRILLIC_FIRST.contains(&word.as_str()) {
            given += 1;
        } else if PATRONYMIC.iter().any(|end| word.ends_with(end)) {
            patronymics += 1;
        } else if word.chars().count() >= 4 && CYRILLIC.iter().any(|end| word.ends_with(end)) {
            family += 1;
        }
    }
    match (words, family, given) {
        (1, _, 1) => hits.tell(Signal::FirstName),
        (1, 1, 0) => hits.tell(Signal::LastName),
        (2..=3, _, _) => {
            let all = family + given + patronymics;
            hits.tell_if(Signal::FullName, patronymics > 0 && all > 1 || given > 0 && family > 0);
        }
        _ => {}
    }
}

fn han(text: &str, first: char, hits: &mut Hits) {
    let count = text.chars().filter(|c| !c.is_whitespace()).count();
    let chinese = (2..=3).contains(&count) && CHINESE.contains(first);
    let japanese = (3..=6).contains(&count)
        && JAPANESE.iter().any(|family| {
            text.strip_prefix(family).is_some_and(|given| (1..=4).contains(&given.chars().count()))
        });
    hits.tell_if(Signal::FullName, chinese || japanese);
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::*;

    #[test]
    fn names_and_addresses_in_other_scripts() {
        for name in [
            "王小明",
            "李娜",
            "佐藤花子",
            "鈴木 一郎",
            "김민준",
            "Иванов Иван Иванович",
            "Анна Петрова",
        ] {
            assert!(look(name).has(Signal::FullName), "{name}");
        }
        for address in [
            "浙江省杭州市西湖路12号",
            "東京都千代田区丸の内1丁目",
            "서울특별시 강남구 역삼로 12",
            "г. Москва, ул. Ленина, д. 5",
        ] {
            assert!(look(address).has(Signal::Street), "{address}");
        }
        for other in ["北京市朝阳区", "東京都千代田区", "Москва", "서울특별시"]
        {
            assert!(!look(other).has(Signal::FullName), "{other}");
        }
    }
}
