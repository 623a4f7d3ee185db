"""The guess whether a prompt is English."""

from __future__ import annotations

import pytest

from magi_desktop.language import looks_foreign


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cat",
        "a red circle",
        "Red ball, white background",
        "A red circle moves to the left on a black background.",
        "green triangle spinning",
        "Leonardo da Vinci",
        "Rio de Janeiro beach at sunset",
        "La La Land",
        "El Capitan, golden hour, 35mm",
        "Die Hard",
        "UN peacekeepers marching",
        "a café in Paris",
        "Crème brûlée, close-up",
        "Vincent van Gogh painting a sunflower field",
        "Phở, Hà Nội street food",
        "Las Vegas at night, neon lights",
        "A man dies in the desert",
        'A neon sign that says "你好世界"',
        "「千と千尋の神隠し」 style, a girl and a train",
        "Tokyo 東京 skyline at night with rain",
        "cinematic, 4k, ultra detailed",
        "α particles",
        "123 456 !!!",
        "The Das Boot submarine",
        "Los Angeles skyline from above",
    ],
)
def test_english_and_names_pass(text: str) -> None:
    assert not looks_foreign(text)


@pytest.mark.parametrize(
    "text",
    [
        "一个红色的圆向左移动",
        "赤い円が左に動く",
        "빨간 공이 왼쪽으로 움직인다",
        "Красный круг движется влево",
        "دائرة حمراء تتحرك إلى اليسار",
        "एक लाल गेंद बाईं ओर चलती है",
        "Ένας κόκκινος κύκλος κινείται αριστερά",
        "עיגול אדום נע שמאלה",
        "วงกลมสีแดงเคลื่อนที่ไปทางซ้าย",
        "Ein roter Ball rollt über die Wiese",
        "Eine rote Kugel bewegt sich nach links",
        "Ein Hund läuft am Strand",
        "Un chat noir dort dans la neige",
        "Une balle rouge se déplace vers la gauche",
        "Una pelota roja se mueve a la izquierda",
        "Un perro corre por la playa",
        "Una palla rossa si muove verso sinistra",
        "Um gato preto corre na praia com uma bola",
        "Een rode bal rolt naar links",
        "Czerwona piłka toczy się po trawie",
        "En röd boll rullar på gräset",
        "Kırmızı bir top sola doğru yuvarlanıyor",
        "Sebuah bola merah bergerak ke kiri",
        "Quả bóng đỏ lăn trên bãi cỏ một cách chậm",
        "红色 circle 向左移动",
    ],
)
def test_other_languages_are_noticed(text: str) -> None:
    assert looks_foreign(text)
